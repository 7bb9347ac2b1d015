"""Guest programs: each asks one question, and answers it by checking itself."""
