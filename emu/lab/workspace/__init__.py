"""A student's folder: starting a lab, checking it, replaying a failure."""
