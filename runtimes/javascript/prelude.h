/* The prelude: the part of the runtime that is written in JavaScript. */
#ifndef LAZARET_PRELUDE_H
#define LAZARET_PRELUDE_H

#include <stddef.h>

/* One file of it: an expression that gives a function of `host`, ended by a zero byte. */
struct part {
    const char *name;
    const unsigned char *text;
    size_t length;
};

extern const struct part prelude[];
extern const size_t prelude_count;

#endif
