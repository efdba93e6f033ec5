/* Lets the FSYNC_FAIL_AT-th fsync or fdatasync of a process fail with EIO, and ends the process if it then uses that
 * descriptor for anything but to close it. cc -shared -fPIC -o failing_sync.so failing_sync.c, then LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

static int spoilt = -1;
static long count;

static void refuse(int file) {
    if (file == spoilt)
        abort();
}

static int sync_as(const char *name, int file) {
    const char *at = getenv("FSYNC_FAIL_AT");
    refuse(file);
    if (at != NULL && ++count == atol(at)) {
        spoilt = file;
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(file);
}

int fsync(int file) { return sync_as("fsync", file); }

int fdatasync(int file) { return sync_as("fdatasync", file); }

ssize_t write(int file, const void *data, size_t size) {
    refuse(file);
    return ((ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(file, data, size);
}

int close(int file) {
    if (file == spoilt)
        spoilt = -1;
    return ((int (*)(int))dlsym(RTLD_NEXT, "close"))(file);
}
