/* A file system without hard links (NO_LINKS set: exFAT, some FUSE mounts) or without locks (NO_LOCKS set:
   some network mounts), for a process that loads this with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int refused(const char *variable, int number) {
    if (!getenv(variable)) return 0;
    errno = number;
    return 1;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (refused("NO_LINKS", EPERM)) return -1;
    int (*real)(int, const char *, int, const char *, int) = dlsym(RTLD_NEXT, "linkat");
    return real(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to) {
    if (refused("NO_LINKS", EPERM)) return -1;
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "link");
    return real(from, to);
}

int flock(int descriptor, int operation) {
    if (refused("NO_LOCKS", ENOLCK)) return -1;
    int (*real)(int, int) = dlsym(RTLD_NEXT, "flock");
    return real(descriptor, operation);
}
