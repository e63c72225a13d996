/* tsfs(1): mounts, becomes a daemon when the mount is ready, serves, and ends cleanly.
 *
 * The order matters.  Everything happens in the process that will serve: without -f a child, whose parent
 * waits at a pipe until the mount is ready or the child has died, and ends with what the child says.  The
 * engine is opened (and recovers) first, so that nobody sees an empty mount; it starts its threads after the
 * last fork; then the parent is told.  SIGTERM, SIGINT (and SIGHUP in the foreground) are blocked in all
 * threads but one, which waits for them and wakes the main thread: libfuse then stops its workers after the
 * requests they are at. */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "fs/fs_priv.h"
#include "fs/mount_point.h"
#include "fs/options.h"

enum { EXIT_USAGE = 2 };

/* ---- signals ---- */

struct signals {
    struct fuse_session *session;
    sigset_t set;
    pthread_t main, thread;
    atomic_bool done;
};

static void wake(int sig)
{
}

/* Wakes the main thread until it is known to have left its loop: one signal alone could come just before it
 * begins to wait. */
static void *wait_for_signal(void *arg)
{
    struct signals *s = arg;
    int sig;
    do {
        if (sigwait(&s->set, &sig) != 0 || atomic_load(&s->done))
            return NULL;
    } while (sig == SIGUSR1); /* somebody else's */
    fuse_session_exit(s->session);
    while (!atomic_load(&s->done)) {
        pthread_kill(s->main, SIGUSR2);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return NULL;
}

static void block_signals(struct signals *s, bool foreground)
{
    signal(SIGPIPE, SIG_IGN);
    if (!foreground)
        signal(SIGHUP, SIG_IGN);
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGUSR2, &action, NULL);
    sigemptyset(&s->set);
    sigaddset(&s->set, SIGTERM);
    sigaddset(&s->set, SIGINT);
    sigaddset(&s->set, SIGUSR1); /* ends the waiting thread */
    if (foreground)
        sigaddset(&s->set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &s->set, NULL);
}

static int signals_start(struct signals *s, struct fuse_session *session)
{
    s->session = session;
    s->main = pthread_self();
    return -pthread_create(&s->thread, NULL, wait_for_signal, s);
}

static void signals_stop(struct signals *s)
{
    atomic_store(&s->done, true);
    pthread_kill(s->thread, SIGUSR1);
    pthread_join(s->thread, NULL);
}

/* ---- the session ---- */

static void log_fuse(enum fuse_log_level level, const char *fmt, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    if (level <= FUSE_LOG_ERR)
        tsfs_log(TSFS_LOG_ERROR, "%s", text);
    else if (level == FUSE_LOG_WARNING)
        tsfs_log(TSFS_LOG_WARNING, "%s", text);
}

static struct fuse_session *session_new(const struct fs_options *options, const char *data, struct fs *fs)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct fuse_session *session = NULL;
    char *list = NULL, *name = NULL;
    if (asprintf(&name, "fsname=%s", data) < 0) {
        name = NULL;
        goto out;
    }
    if (fuse_opt_add_opt(&list, "subtype=tsfs,default_permissions") != 0 ||
        fuse_opt_add_opt_escaped(&list, name) != 0)
        goto out;
    if (options->kernel.len && fuse_opt_add_opt(&list, options->kernel.data) != 0)
        goto out;
    if (fuse_opt_add_arg(&args, "tsfs") != 0 || fuse_opt_add_arg(&args, "-o") != 0 ||
        fuse_opt_add_arg(&args, list) != 0)
        goto out;
    session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
out:
    fuse_opt_free_args(&args);
    free(list);
    free(name);
    return session;
}

static int serve(struct fuse_session *session)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -ENOMEM;
    fuse_loop_cfg_set_clone_fd(config, 1);
    fuse_loop_cfg_set_max_threads(config, FS_THREADS_MAX);
    fuse_loop_cfg_set_idle_threads(config, FS_THREADS_MAX); /* a thread once made is kept */
    int r = fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    return r < 0 ? r : 0;
}

/* Leaves the terminal and tells the parent that the mount is ready. */
static int become_daemon(int ready)
{
    if (ready < 0)
        return 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || setsid() < 0 || chdir("/") < 0)
        return -errno;
    tsfs_log_to_syslog(true);
    char ok = 0;
    if (write(ready, &ok, 1) != 1)
        return -errno;
    close(ready);
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    return 0;
}

/* Results and the arenas of queries come and go by the megabyte.  By default each goes back to the kernel at
 * once, and the next pays for its pages anew. */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

static void more_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void complain(const struct tsfs_error *err, int code, const char *what)
{
    fprintf(stderr, "tsfs: %s%s%s\n", what, *what ? ": " : "",
            err && err->message[0] ? err->message : strerror(-code));
}

/* The daemon's life.  ready: the parent's pipe, -1 in the foreground.  Returns the exit status. */
static int run(const struct fs_options *options, const char *data, const char *mount, int ready)
{
    struct tsfs_engine *engine = NULL;
    struct fs *fs = NULL;
    struct fuse_session *session = NULL;
    struct signals signals = {0};
    struct tsfs_error err = {0};
    bool mounted = false;
    int status = EXIT_FAILURE;

    more_files();
    keep_freed_memory();
    const struct tsfs_engine_options engine_options = {
        .data = data,
        .memory = options->memory,
        .threads = options->threads,
        .read_only = options->read_only,
    };
    int r = tsfs_engine_open(&engine_options, &engine, &err);
    if (r < 0) {
        complain(&err, r, err.message[0] ? "" : data);
        goto out;
    }
    block_signals(&signals, options->foreground);
    r = fs_create(engine, options->sync, &fs);
    if (r < 0) {
        complain(NULL, r, "start");
        goto out;
    }
    fuse_set_log_func(log_fuse);
    session = session_new(options, data, fs);
    if (!session)
        goto out; /* libfuse has said why */
    fs->session = session;
    if (fuse_session_mount(session, mount) != 0) {
        fprintf(stderr, "tsfs: cannot mount on %s%s\n", mount,
                geteuid() == 0 ? "" : " (the package fuse3 brings fusermount3, which users need for this)");
        goto out;
    }
    mounted = true;
    r = tsfs_engine_start(engine, &err);
    if (r < 0) {
        complain(&err, r, "start");
        goto out;
    }
    r = become_daemon(ready);
    if (r < 0) {
        complain(NULL, r, "going to the background");
        goto out;
    }
    r = signals_start(&signals, session);
    if (r == 0) {
        r = serve(session);
        signals_stop(&signals);
    }
    if (r == 0)
        status = EXIT_SUCCESS;
    else
        tsfs_log(TSFS_LOG_ERROR, "serving %s: %s", mount, strerror(-r));
out:
    if (mounted)
        fuse_session_unmount(session);
    fs_free(fs);
    if (session)
        fuse_session_destroy(session);
    if (engine) {
        r = tsfs_engine_close(engine);
        if (r < 0) {
            tsfs_log(TSFS_LOG_ERROR, "closing %s: %s", data, strerror(-r));
            status = EXIT_FAILURE;
        }
    }
    return status;
}

/* Forks the daemon and waits until it serves or has given up.  Returns the exit status. */
static int run_in_background(const struct fs_options *options, const char *data, const char *mount)
{
    int pipefd[2];
    if (pipe2(pipefd, O_CLOEXEC) < 0) {
        complain(NULL, -errno, "pipe");
        return EXIT_FAILURE;
    }
    pid_t pid = fork();
    if (pid < 0) {
        complain(NULL, -errno, "fork");
        return EXIT_FAILURE;
    }
    if (pid == 0) {
        close(pipefd[0]);
        _exit(run(options, data, mount, pipefd[1]));
    }
    close(pipefd[1]);
    char ok;
    ssize_t n;
    do
        n = read(pipefd[0], &ok, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        return EXIT_SUCCESS;
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_FAILURE;
    if (WIFSIGNALED(status))
        fprintf(stderr, "tsfs: the daemon was ended by signal %d before it was ready\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct fs_options options = {0};
    struct tsfs_error err = {0};
    char *data = NULL, *mount = NULL;
    int status = EXIT_USAGE;

    if (fs_options_parse(argc, argv, &options, &err) < 0) {
        fprintf(stderr, "tsfs: %s\nTry \"tsfs --help\".\n", err.message);
        goto out;
    }
    if (options.help || options.version) {
        fputs(options.help ? fs_usage : "tsfs " TSFS_VERSION "\n", stdout);
        status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        goto out;
    }
    status = EXIT_FAILURE;
    int r = fs_mount_point_check(options.data, options.mount, &data, &mount, &err);
    if (r < 0)
        complain(&err, r, "");
    else if (options.foreground)
        status = run(&options, data, mount, -1);
    else
        status = run_in_background(&options, data, mount);
out:
    free(data);
    free(mount);
    fs_options_free(&options);
    return status;
}
