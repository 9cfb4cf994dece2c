/* What CPython's socket module wants of a C library and WASI's has not: names of
 * hosts, services and protocols. There is no network; every question fails as it
 * does on a machine without one.
 */
#include <errno.h>
#include <stddef.h>

struct hostent;
struct servent;
struct protoent;

static int host_error = 3; /* NO_RECOVERY */

int *__h_errno_location(void) { return &host_error; }
const char *hstrerror(int error) { return "there is no network here"; }
struct hostent *gethostbyname(const char *name) { return NULL; }
struct hostent *gethostbyaddr(const void *address, unsigned length, int kind) { return NULL; }
struct servent *getservbyname(const char *name, const char *protocol) { return NULL; }
struct servent *getservbyport(int port, const char *protocol) { return NULL; }
struct protoent *getprotobyname(const char *name) { return NULL; }
