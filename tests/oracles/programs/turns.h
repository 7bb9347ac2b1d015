/* Processes that take turns; part of program.h. The turn goes from parent to child and back through
 * two pipes, the child's line. */

struct line { int down[2], up[2]; };

static void open_line(struct line *line)
{
    if (pipe(line->down) || pipe(line->up)) abort();
}

static void close_line(struct line *line)
{
    close(line->down[0]), close(line->down[1]), close(line->up[0]), close(line->up[1]);
}

static void await(int *ends)
{
    char token;
    if (read(ends[0], &token, 1) != 1) abort();
}

static void pass(int *ends)
{
    flush();
    if (write(ends[1], "t", 1) != 1) abort();
}

static void enter(const char *as)
{
    name = as;
    length = 0;
}

static void leave(int status)
{
    flush();
    _exit(status);
}

static void die_of_a_fault(void)
{
    flush();
    signal(SIGSEGV, SIG_DFL);
    *(volatile byte *)8 = 1;
}

/* The status goes to memory that the kernel writes. */
static void reap(int number, pid_t child, int *status)
{
    begin(number, "reap");
    if (waitpid(child, status, 0) != child) abort();
    if (WIFSIGNALED(*status))
        say(" signal %d\n", WTERMSIG(*status));
    else
        say(" status %d\n", WEXITSTATUS(*status));
    *status = 0; /* whether it dumped core may differ elsewhere */
}

