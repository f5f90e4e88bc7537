/*
 * Loaded in front of the C library (LD_PRELOAD): lets the n-th call of a kind that reaches a path kill the process or fail.
 * COLA_FAULT is "CALL N ACTION PATH": CALL any is every kind; ACTION is kill (before the call), after (behind it), count
 * (nothing), or the number of an error; with a + behind it, all later calls fail too. Each hit is a line in the file COLA_FAULT_LOG.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char wanted[16], action[16], path[PATH_MAX];
static long nth;
static int sticky, number, journal = -1;
static atomic_long met;

__attribute__((constructor)) static void begin(void) {
  const char *fault = getenv("COLA_FAULT"), *file = getenv("COLA_FAULT_LOG");
  if (!fault || !file || sscanf(fault, "%15s %ld %15s %4095s", wanted, &nth, action, path) != 4) wanted[0] = 0;
  else journal = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  sticky = strchr(action, '+') != NULL;
  number = atoi(action);
}

static void note(const char *call, const char *at) {
  char line[PATH_MAX + 64];
  int length = snprintf(line, sizeof line, "%s %s\n", call, at);
  syscall(SYS_write, journal, line, length < (int)sizeof line ? length : (int)sizeof line);
}

static int is_wanted(const char *call) { return wanted[0] && (!strcmp(wanted, "any") || !strcmp(call, wanted)); }

/* 1: the call is to fail. 2: the process is to end behind it. */
static int meet(const char *call, const char *at) {
  if (!is_wanted(call) || !strstr(at, path)) return 0;
  long now = atomic_fetch_add(&met, 1) + 1;
  if (!strcmp(action, "count")) return note(call, at), 0;
  if (now != nth && !(sticky && now > nth)) return 0;
  note(call, at);
  if (!strcmp(action, "kill")) syscall(SYS_kill, getpid(), SIGKILL);
  if (!strcmp(action, "after")) return 2;
  errno = number;
  return 1;
}

static int meet_file(const char *call, int file) {
  char link[64], at[PATH_MAX];
  if (!is_wanted(call)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, at, sizeof at - 1);
  if (length < 0) return 0;
  at[length] = 0;
  return meet(call, at);
}

static long end(long result, int fate) {
  if (fate == 2) syscall(SYS_kill, getpid(), SIGKILL);
  return result;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define BY_PATH(type, name, call, parameters, arguments, at) \
  type name parameters { int fate = meet(call, at); return fate == 1 ? -1 : end(REAL(name) arguments, fate); }
#define BY_FILE(type, name, call, parameters, arguments) \
  type name parameters { int fate = meet_file(call, file); return fate == 1 ? -1 : end(REAL(name) arguments, fate); }
#define OPEN(name) \
  int name(const char *at, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; va_end(more); \
    int fate = flags & (O_WRONLY | O_RDWR | O_CREAT) ? meet("open", at) : 0; \
    return fate == 1 ? -1 : end(REAL(name)(at, flags, mode), fate); }

OPEN(open)
OPEN(open64)
BY_FILE(ssize_t, write, "write", (int file, const void *data, size_t size), (file, data, size))
BY_FILE(ssize_t, pwrite, "write", (int file, const void *data, size_t size, off_t to), (file, data, size, to))
BY_FILE(ssize_t, pwrite64, "write", (int file, const void *data, size_t size, off64_t to), (file, data, size, to))
BY_FILE(ssize_t, writev, "write", (int file, const struct iovec *parts, int count), (file, parts, count))
BY_FILE(int, fsync, "fsync", (int file), (file))
BY_FILE(int, fdatasync, "fsync", (int file), (file))
BY_FILE(int, ftruncate, "ftruncate", (int file, off_t size), (file, size))
BY_FILE(int, ftruncate64, "ftruncate", (int file, off64_t size), (file, size))
BY_PATH(int, rename, "rename", (const char *from, const char *to), (from, to), from)
BY_PATH(int, mkdir, "mkdir", (const char *at, mode_t mode), (at, mode), at)
BY_PATH(int, unlink, "unlink", (const char *at), (at), at)
BY_PATH(int, rmdir, "rmdir", (const char *at), (at), at)
