/* What the kernel could answer, and seldom does: preloaded into a gateway by the tests.
 *
 * Each function here stands in front of one of libc and asks the kernel itself; before that it looks at the board, a file
 * that the test writes and this maps. What the board does not order happens as ever. Only sockets of TCP and regular files
 * are ever lied about: the pipes and counters with which a program wakes itself do not fail in reality either.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The order is that of `Call` and of `Place` in mod.rs. */
enum call { NONE, READ, WRITE, CONNECT, ACCEPT, SETSOCKOPT, SOCKET, OPEN, EPOLL_WAIT, EPOLL_CTL };

struct board {
    int64_t call;    /* which calls fail */
    int64_t error;   /* with this errno */
    int64_t skip;    /* after so many of them that do not */
    int64_t count;   /* and so many times */
    int64_t struck;  /* how many have failed */
    int64_t seconds; /* by which the wall clock is ahead */
    int64_t room;    /* bytes for which regular files have space; none where negative */
    int64_t spells;  /* whether what is read from a socket may be a spell */
    int64_t names;   /* how often a name was asked for that nobody answers; they are given up where negative */
};

static struct board *board;

__attribute__((constructor)) static void find_board(void) {
    const char *path = getenv("TIDEGATE_TEST_BOARD");
    if (!path) return;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (file < 0) abort();
    void *map = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    syscall(SYS_close, file);
    board = map;
}

static int64_t look(int64_t *place) { return __atomic_load_n(place, __ATOMIC_SEQ_CST); }
static int64_t add(int64_t *place, int64_t number) { return __atomic_fetch_add(place, number, __ATOMIC_SEQ_CST); }

static int strikes(enum call call) {
    if (!board || look(&board->call) != call) return 0;
    if (add(&board->skip, -1) > 0) return 0;
    if (add(&board->count, -1) <= 0) return 0;
    add(&board->struck, 1);
    errno = (int)look(&board->error);
    return 1;
}

static int is_tcp(int fd);

/* Errors of a connection that is as good as before: the kernel has no memory just now, or does not let this pass. */
static int spares(int error) { return error == EINTR || error == ENOBUFS || error == ENOMEM || error == EPERM; }

/* A connection on which a read or write fails in another way is broken: the other side learns of it as well. */
static int breaks(enum call call, int fd) {
    if (!board || look(&board->call) != (int64_t)call || !is_tcp(fd) || !strikes(call)) return 0;
    int error = errno;
    if (!spares(error)) shutdown(fd, SHUT_RDWR);
    errno = error;
    return 1;
}

static int is_tcp(int fd) {
    int saved = errno, domain = 0;
    socklen_t len = sizeof domain;
    int is = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && (domain == AF_INET || domain == AF_INET6);
    errno = saved;
    return is;
}

static int is_file(int fd) {
    struct stat status;
    int saved = errno, is = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    errno = saved;
    return is;
}

/* What was read may be a spell: to be told of more bytes than there was room for, which is a bug in whoever reads; or to
 * sleep until spells are lifted, which is a thread that hangs. */
static ssize_t spelled(int fd, const void *bytes, ssize_t len, size_t room) {
    if (len <= 0 || !board || !look(&board->spells) || !is_tcp(fd)) return len;
    if (memmem(bytes, len, "spell: too much", 15)) return (ssize_t)room + 1;
    if (memmem(bytes, len, "spell: hang", 11)) {
        struct timespec moment = {0, 10000000};
        while (look(&board->spells)) syscall(SYS_nanosleep, &moment, NULL);
    }
    return len;
}

ssize_t recvfrom(int fd, void *restrict bytes, size_t room, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_len) {
    if (breaks(READ, fd)) return -1;
    return spelled(fd, bytes, syscall(SYS_recvfrom, fd, bytes, room, flags, from, from_len), room);
}

ssize_t recv(int fd, void *bytes, size_t room, int flags) { return recvfrom(fd, bytes, room, flags, NULL, NULL); }

ssize_t read(int fd, void *bytes, size_t room) {
    if (breaks(READ, fd)) return -1;
    return spelled(fd, bytes, syscall(SYS_read, fd, bytes, room), room);
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
    if (breaks(READ, fd)) return -1;
    return syscall(SYS_readv, fd, parts, count);
}

ssize_t sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to, socklen_t to_len) {
    if (breaks(WRITE, fd)) return -1;
    return syscall(SYS_sendto, fd, bytes, len, flags, to, to_len);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags) { return sendto(fd, bytes, len, flags, NULL, 0); }

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    if (breaks(WRITE, fd)) return -1;
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (breaks(WRITE, fd)) return -1;
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t write(int fd, const void *bytes, size_t len) {
    if (breaks(WRITE, fd)) return -1;
    int64_t room = board ? look(&board->room) : -1;
    if (room >= 0 && (int64_t)len > room && is_file(fd)) {
        if (room == 0) {
            add(&board->struck, 1);
            errno = ENOSPC;
            return -1;
        }
        len = room; /* a disk takes what it has space for */
    }
    ssize_t written = syscall(SYS_write, fd, bytes, len);
    if (room >= 0 && written > 0 && is_file(fd)) add(&board->room, -written);
    return written;
}

int connect(int fd, const struct sockaddr *to, socklen_t len) {
    if (is_tcp(fd) && strikes(CONNECT)) return -1;
    return syscall(SYS_connect, fd, to, len);
}

int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict len, int flags) {
    if (is_tcp(fd) && strikes(ACCEPT)) return -1;
    return syscall(SYS_accept4, fd, from, len, flags);
}

int accept(int fd, struct sockaddr *restrict from, socklen_t *restrict len) { return accept4(fd, from, len, 0); }

int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
    if (is_tcp(fd) && strikes(SETSOCKOPT)) return -1;
    return syscall(SYS_setsockopt, fd, level, name, value, len);
}

int socket(int domain, int kind, int protocol) {
    if (domain != AF_UNIX && strikes(SOCKET)) return -1;
    return syscall(SYS_socket, domain, kind, protocol);
}

static int open_at(int folder, const char *path, int flags, va_list more) {
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
    if (strikes(OPEN)) return -1;
    return syscall(SYS_openat, folder, path, flags, mode);
}

#define OPENS(name)                                    \
    int name(const char *path, int flags, ...) {       \
        va_list more;                                  \
        va_start(more, flags);                         \
        int fd = open_at(AT_FDCWD, path, flags, more); \
        va_end(more);                                  \
        return fd;                                     \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                         \
    int name(int folder, const char *path, int flags, ...) {   \
        va_list more;                                          \
        va_start(more, flags);                                 \
        int fd = open_at(folder, path, flags, more);           \
        va_end(more);                                          \
        return fd;                                             \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int epoll_wait(int fd, struct epoll_event *events, int room, int wait) {
    if (strikes(EPOLL_WAIT)) return -1;
    return syscall(SYS_epoll_pwait, fd, events, room, wait, NULL, 8);
}

int epoll_ctl(int fd, int operation, int about, struct epoll_event *event) {
    if (operation == EPOLL_CTL_ADD && is_tcp(about) && strikes(EPOLL_CTL)) return -1;
    return syscall(SYS_epoll_ctl, fd, operation, about, event);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && board) time->tv_sec += look(&board->seconds);
    return result;
}

/* The server of this one name takes questions and never answers; libc asks it, and has no bound that matters here. */
int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
    if (board && name && strcmp(name, "hangs.test") == 0) {
        add(&board->names, 1);
        while (look(&board->names) >= 0) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        return EAI_AGAIN;
    }
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(name, service, hints, found);
}
