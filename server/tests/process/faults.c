// Loaded into a server by LD_PRELOAD: lets its disk fail, and its clock jump, as a shared file says. See devices.rs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct {
  _Atomic int64_t error;    // errno of every write to a database, or 0
  _Atomic int64_t seconds;  // added to the system clock
} *faults;

__attribute__((constructor)) static void open_faults(void) {
  int fd = open(getenv("FAULTS"), O_RDONLY);
  void *mapped = mmap(NULL, sizeof *faults, PROT_READ, MAP_SHARED, fd, 0);
  if (fd < 0 || mapped == MAP_FAILED) abort();
  close(fd);
  faults = mapped;
}

// Of all that the server writes, only SQLite's files are written at an offset.
#define FAILING(name, offset)                                              \
  ssize_t name(int fd, const void *bytes, size_t length, offset at) {      \
    static ssize_t (*next)(int, const void *, size_t, offset);             \
    if (faults && faults->error) { errno = (int)faults->error; return -1; } \
    if (!next) next = dlsym(RTLD_NEXT, #name);                             \
    return next(fd, bytes, length, at);                                    \
  }
FAILING(pwrite, off_t)
FAILING(pwrite64, off64_t)

int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
  int result = next(id, now);
  if (result == 0 && id == CLOCK_REALTIME && faults) now->tv_sec += faults->seconds;
  return result;
}
