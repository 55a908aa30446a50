/* Loaded with LD_PRELOAD into our programs: counts every call that changes a file or tells a server something, and at the
 * one with the chosen number lets the machine fail. Nothing of it is in the programs, so release builds are tested as they are.
 *
 *   HIS_FAULT=MODE:NUMBER
 *     kill    ends the process before the call
 *     torn    writes half of what the call would write, then ends the process
 *     power   ends the process, and what was not synced is gone: contents, new names, renames
 *     zeros   the same, but contents that were not synced are zeros, as some file systems leave them
 *     eio     this one call on a file fails with EIO
 *     unread  this one read of a file fails with EIO
 *     locked  the disk is read-only from this call on: it and all after it that change something fail with EROFS
 *     full    this call that needs room on the disk, and all after it, fail with ENOSPC
 *     cut     the connection ends before this send
 *     lost    the connection ends after this send: the server has it, its answer is lost
 *   HIS_FAULT_MATCH=TEXT    counts only sends that hold this text
 *   HIS_FAULT_COUNT=FILE    at the end, the number of calls on files, of sends, of sends of a COMMIT, and of reads is written there
 *   HIS_FAULT_BELOW=DIR     counts only files whose path begins so
 *   HIS_FAULT_FILES=1       does not count sends
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, KILL, TORN, POWER, ZEROS, EIO_ONCE, FULL, CUT, LOST, UNREAD, LOCKED_DISK };

static int mode = NONE, active = 0;
static long at = 0, files = 0, sends = 0, commits = 0, reads = 0, calls = 0;
static const char *match, *below, *count_file, *files_only;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* What a power failure takes: contents beyond what was synced, and names that no sync of their directory has kept. */
enum { CREATED, MADE, RENAMED };
struct content { dev_t dev; ino_t ino; int fd; off_t synced; };
struct name { int what; char path[PATH_MAX], from[PATH_MAX]; char *old; long old_size; mode_t old_mode; };
static struct content contents[4096];
static struct name names[4096];
static int content_count = 0, name_count = 0;

#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *fault = getenv("HIS_FAULT");
    static const char *modes[] = { "", "kill", "torn", "power", "zeros", "eio", "full", "cut", "lost", "unread", "locked" };
    match = getenv("HIS_FAULT_MATCH");
    below = getenv("HIS_FAULT_BELOW");
    count_file = getenv("HIS_FAULT_COUNT");
    files_only = getenv("HIS_FAULT_FILES");
    /* pg_dump and pg_restore inherit the environment; they are not ours. */
    active = strncmp(program_invocation_short_name, "his-", 4) == 0 && (fault || count_file);
    for (int i = 1; active && fault && i <= LOCKED_DISK; i++) {
        size_t n = strlen(modes[i]);
        if (strncmp(fault, modes[i], n) == 0 && fault[n] == ':') { mode = i; at = atol(fault + n + 1); }
    }
}

__attribute__((destructor)) static void end(void) {
    if (!active || !count_file) return;
    FILE *f = fopen(count_file, "w");
    if (f) { fprintf(f, "%ld %ld %ld %ld\n", files, sends, commits, reads); fclose(f); }
}

static int is_below(const char *path) {
    return !below || strncmp(path, below, strlen(below)) == 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return 1;
}

static void absolute(const char *path, char *out) {
    char cwd[PATH_MAX];
    if (path[0] == '/' || !getcwd(cwd, sizeof cwd)) snprintf(out, PATH_MAX, "%s", path);
    else snprintf(out, PATH_MAX, "%.2000s/%.2000s", cwd, path);
}

/* 1 for a regular file that counts, 2 for a socket, else 0. Output to the terminal or its file does not count. */
static int kind_of(int fd) {
    struct stat s;
    char path[PATH_MAX];
    if (!active || fd <= 2 || fstat(fd, &s) != 0) return 0;
    if (S_ISSOCK(s.st_mode)) return 2;
    return (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)) && path_of(fd, path) && is_below(path);
}

static void parent_of(const char *path, char *parent) {
    snprintf(parent, PATH_MAX, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash) *slash = 0;
}

static void lose_power(void) {
    char zeros[4096];
    memset(zeros, 0, sizeof zeros);
    for (int i = 0; i < content_count; i++) {
        struct stat s;
        if (contents[i].fd < 0 || fstat(contents[i].fd, &s) != 0) continue;
        if (mode == POWER && s.st_size > contents[i].synced) syscall(SYS_ftruncate, contents[i].fd, contents[i].synced);
        for (off_t o = contents[i].synced; mode == ZEROS && o < s.st_size; o += sizeof zeros) {
            size_t n = s.st_size - o < (off_t)sizeof zeros ? (size_t)(s.st_size - o) : sizeof zeros;
            syscall(SYS_pwrite64, contents[i].fd, zeros, n, o);
        }
    }
    for (int i = name_count - 1; i >= 0; i--) {
        struct name *n = &names[i];
        if (n->what == CREATED) syscall(SYS_unlinkat, AT_FDCWD, n->path, 0);
        if (n->what == MADE) syscall(SYS_unlinkat, AT_FDCWD, n->path, AT_REMOVEDIR);
        if (n->what == RENAMED) {
            syscall(SYS_renameat2, AT_FDCWD, n->path, AT_FDCWD, n->from, 0);
            int fd = n->old ? syscall(SYS_openat, AT_FDCWD, n->path, O_WRONLY | O_CREAT | O_TRUNC, n->old_mode) : -1;
            if (fd >= 0) { syscall(SYS_write, fd, n->old, n->old_size); syscall(SYS_close, fd); }
        }
    }
}

static void die(void) {
    if (mode == POWER || mode == ZEROS) lose_power();
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a call on a file; 0 when it may go on, else the errno to fail with. `room`: it needs room on the disk. */
static int file_call(int room) {
    files++;
    if (mode == NONE || mode == CUT || mode == LOST || mode == UNREAD || match) return 0;
    long now = ++calls;
    if (mode == LOCKED_DISK) return now >= at ? EROFS : 0;
    if (mode == FULL) return now >= at && room ? ENOSPC : 0;
    if (now != at) return 0;
    if (mode == EIO_ONCE) return EIO;
    if (mode == TORN && room) return -1;
    die();
    return 0;
}

/* Counts a send; 1 when the connection ends before it, 2 when after it. */
static int send_call(const void *bytes, size_t n) {
    sends++;
    commits += memmem(bytes, n, "COMMIT", 6) != NULL;
    if (mode == NONE || (match && !memmem(bytes, n, match, strlen(match)))) return 0;
    if (mode == EIO_ONCE || mode == FULL || mode == UNREAD || mode == LOCKED_DISK || files_only) return 0;
    long now = ++calls;
    if (now != at) return 0;
    if (mode == CUT) return 1;
    if (mode == LOST) return 2;
    die();
    return 0;
}

/* The same file opened anew: a duplicate would share the locks that the program has on it, and keep them. */
static int again(int fd) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int fresh = syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC, 0);
    if (fresh < 0) return -1;
    int high = fcntl(fresh, F_DUPFD_CLOEXEC, 500);
    syscall(SYS_close, fresh);
    return high;
}

static void wrote(int fd, off_t before) {
    struct stat s;
    if ((mode != POWER && mode != ZEROS) || fstat(fd, &s) != 0) return;
    for (int i = 0; i < content_count; i++)
        if (contents[i].dev == s.st_dev && contents[i].ino == s.st_ino) {
            if (contents[i].fd < 0) contents[i].fd = again(fd);
            return;
        }
    if (content_count < 4096)
        contents[content_count++] = (struct content){ s.st_dev, s.st_ino, again(fd), before };
}

static void synced(int fd) {
    struct stat s;
    char path[PATH_MAX], parent[PATH_MAX];
    if ((mode != POWER && mode != ZEROS) || fstat(fd, &s) != 0) return;
    for (int i = 0; i < content_count; i++)
        if (contents[i].dev == s.st_dev && contents[i].ino == s.st_ino) contents[i].synced = s.st_size;
    if (!S_ISDIR(s.st_mode) || !path_of(fd, path)) return;
    for (int i = 0; i < name_count; i++) {
        parent_of(names[i].path, parent);
        if (strcmp(parent, path) == 0) names[i].what = -1;
    }
}

static void named(int what, const char *path, const char *from) {
    if ((mode != POWER && mode != ZEROS) || name_count >= 4096) return;
    struct name *n = &names[name_count];
    memset(n, 0, sizeof *n);
    n->what = what;
    absolute(path, n->path);
    if (from) absolute(from, n->from);
    name_count++;
}

static void keep_old(const char *path, char **old, long *size, mode_t *m) {
    struct stat s;
    *old = NULL;
    if ((mode != POWER && mode != ZEROS) || stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return;
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
    if (fd < 0) return;
    *old = malloc(s.st_size + 1);
    *size = syscall(SYS_read, fd, *old, s.st_size);
    *m = s.st_mode & 0777;
    syscall(SYS_close, fd);
}

#define LOCKED(body) do { pthread_mutex_lock(&mutex); body; pthread_mutex_unlock(&mutex); } while (0)
#define FAIL(value) do { errno = value; return -1; } while (0)

static int opened(int dir, const char *path, int flags, mode_t m) {
    char full[PATH_MAX];
    int fails = 0, fresh = 0;
    if (active && (flags & O_CREAT) && dir == AT_FDCWD) {
        absolute(path, full);
        if (is_below(full) && access(path, F_OK) != 0) {
            fresh = 1;
            LOCKED(fails = file_call(0));
        }
    }
    if (fails == 0 && active && mode == LOCKED_DISK && calls >= at && (flags & O_ACCMODE) != O_RDONLY && dir == AT_FDCWD) {
        absolute(path, full);
        if (is_below(full)) fails = EROFS;
    }
    if (fails > 0) FAIL(fails);
    if (fails < 0) die();
    int fd = syscall(SYS_openat, dir, path, flags, m);
    if (fresh && fd >= 0) LOCKED(named(CREATED, path, NULL));
    return fd;
}

#define OPEN(NAME, HEAD, DIR) \
    int NAME HEAD { \
        va_list list; va_start(list, flags); \
        mode_t m = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(list, mode_t) : 0; \
        va_end(list); \
        return opened(DIR, path, flags, m); \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int dir, const char *path, int flags, ...), dir)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir)

static ssize_t sent(int fd, const void *bytes, size_t n, int flags, int with_write) {
    int what;
    LOCKED(what = send_call(bytes, n));
    if (what == 1) { shutdown(fd, SHUT_RDWR); FAIL(ECONNRESET); }
    ssize_t done = with_write ? syscall(SYS_write, fd, bytes, n) : syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
    if (what == 2) shutdown(fd, SHUT_RDWR);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t n) {
    int kind = kind_of(fd), fails;
    if (kind == 2) return sent(fd, bytes, n, 0, 1);
    if (kind == 0) return syscall(SYS_write, fd, bytes, n);
    struct stat s;
    off_t before = fstat(fd, &s) == 0 ? s.st_size : 0;
    LOCKED(fails = file_call(1));
    if (fails > 0) FAIL(fails);
    if (fails < 0) { syscall(SYS_write, fd, bytes, n / 2); die(); }
    ssize_t done = syscall(SYS_write, fd, bytes, n);
    LOCKED(wrote(fd, before));
    return done;
}

/* Settings are read by people's programs too, and an error in reading them is one of usage. */
static int is_setting(int fd) {
    char path[PATH_MAX];
    return path_of(fd, path) && strlen(path) > 5 && strcmp(path + strlen(path) - 5, ".toml") == 0;
}

ssize_t read(int fd, void *bytes, size_t n) {
    int fails = 0;
    if (active && (count_file || mode == UNREAD) && kind_of(fd) == 1 && !is_setting(fd))
        LOCKED({ reads++; fails = mode == UNREAD && ++calls == at; });
    if (fails) FAIL(EIO);
    return syscall(SYS_read, fd, bytes, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    int kind = kind_of(fd), fails;
    if (kind == 2) {
        size_t size = 0;
        for (int i = 0; i < n; i++) size += parts[i].iov_len;
        char *all = malloc(size + 1);
        size_t o = 0;
        for (int i = 0; i < n; i++) { memcpy(all + o, parts[i].iov_base, parts[i].iov_len); o += parts[i].iov_len; }
        ssize_t done = sent(fd, all, size, 0, 1);
        int e = errno;
        free(all);
        errno = e;
        return done;
    }
    if (kind == 0) return syscall(SYS_writev, fd, parts, n);
    struct stat s;
    off_t before = fstat(fd, &s) == 0 ? s.st_size : 0;
    LOCKED(fails = file_call(1));
    if (fails > 0) FAIL(fails);
    if (fails < 0) { syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len / 2); die(); }
    ssize_t done = syscall(SYS_writev, fd, parts, n);
    LOCKED(wrote(fd, before));
    return done;
}

ssize_t send(int fd, const void *bytes, size_t n, int flags) {
    return kind_of(fd) == 2 ? sent(fd, bytes, n, flags, 0) : syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to, socklen_t size) {
    return kind_of(fd) == 2 && !to ? sent(fd, bytes, n, flags, 0) : syscall(SYS_sendto, fd, bytes, n, flags, to, size);
}

/* Copies between files would pass by unseen in the kernel; the caller falls back to read and write. */
ssize_t copy_file_range(int from, off_t *a, int to, off_t *b, size_t n, unsigned flags) {
    if (!active) return syscall(SYS_copy_file_range, from, a, to, b, n, flags);
    FAIL(ENOSYS);
}
ssize_t sendfile64(int to, int from, off_t *offset, size_t n) {
    if (!active) return syscall(SYS_sendfile, to, from, offset, n);
    FAIL(ENOSYS);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t n) { return sendfile64(to, from, offset, n); }

#define ON_FD(NAME, HEAD, NUMBER, ARGUMENTS, ROOM, AFTER) \
    int NAME HEAD { \
        int fails = 0; \
        if (kind_of(fd) == 1) LOCKED(fails = file_call(ROOM)); \
        if (fails > 0) FAIL(fails); \
        if (fails < 0) die(); \
        int done = syscall ARGUMENTS; \
        if (done == 0 && active) LOCKED(AFTER); \
        return done; \
    }
ON_FD(fsync, (int fd), SYS_fsync, (SYS_fsync, fd), 0, synced(fd))
ON_FD(fdatasync, (int fd), SYS_fdatasync, (SYS_fdatasync, fd), 0, synced(fd))
ON_FD(ftruncate, (int fd, off_t size), SYS_ftruncate, (SYS_ftruncate, fd, size), 0, (void)0)
ON_FD(ftruncate64, (int fd, off64_t size), SYS_ftruncate, (SYS_ftruncate, fd, size), 0, (void)0)

static int on_path(const char *path, int room) {
    char full[PATH_MAX];
    int fails = 0;
    if (!active) return 0;
    absolute(path, full);
    if (is_below(full)) LOCKED(fails = file_call(room));
    if (fails < 0) die();
    return fails;
}

int rename(const char *from, const char *to) {
    int fails = on_path(to, 0);
    if (fails) FAIL(fails);
    char *old = NULL;
    long size = 0;
    mode_t m = 0;
    keep_old(to, &old, &size, &m);
    int done = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (done == 0 && active) LOCKED({
        /* What was new under the old name is now new under the new one; undoing the rename brings both back. */
        named(RENAMED, to, from);
        if (name_count && old) { names[name_count - 1].old = old; names[name_count - 1].old_size = size; names[name_count - 1].old_mode = m; }
    });
    return done;
}

int unlink(const char *path) {
    int fails = on_path(path, 0);
    if (fails) FAIL(fails);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int dir, const char *path, int flags) {
    int fails = 0;
    if (active && path_of(dir, (char[PATH_MAX]){0})) {
        char base[PATH_MAX];
        if (path_of(dir, base) && is_below(base)) LOCKED(fails = file_call(0));
    }
    if (fails > 0) FAIL(fails);
    if (fails < 0) die();
    return syscall(SYS_unlinkat, dir, path, flags);
}

int mkdir(const char *path, mode_t m) {
    int fails = access(path, F_OK) == 0 ? 0 : on_path(path, 1);
    if (fails) FAIL(fails);
    int done = syscall(SYS_mkdirat, AT_FDCWD, path, m);
    if (done == 0 && active) LOCKED(named(MADE, path, NULL));
    return done;
}

int rmdir(const char *path) {
    int fails = on_path(path, 0);
    if (fails) FAIL(fails);
    return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}
