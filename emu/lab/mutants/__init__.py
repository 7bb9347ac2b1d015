"""Wrong solutions of the labs: running them, and the tests that students write against them."""
