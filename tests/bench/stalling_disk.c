/* A disk that stalls: preloaded into the station, it makes every write and flush by file position wait while the
   file named by STALLING_DISK exists. SQLite writes and flushes by these calls and by no others. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static void stall(void)
{
    const char *file = getenv("STALLING_DISK");
    while (file && access(file, F_OK) == 0)
        usleep(2000);
}

#define REAL(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

int fsync(int fd)
{
    stall();
    return REAL(fsync, fd);
}

int fdatasync(int fd)
{
    stall();
    return REAL(fdatasync, fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    stall();
    return REAL(pwrite, fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    stall();
    return REAL(pwrite64, fd, bytes, size, at);
}
