/* The files of the prelude in the order in which they run; each uses what came before. A unit of
 * its own, so that a change to the prelude does not compile the engine again. */
#include "prelude.h"

#define PART(variable) { "lazaret:" #variable, variable, sizeof variable - 1 }

static const unsigned char support[] = {
#embed "prelude/support.js" suffix(, 0)
};
static const unsigned char errors[] = {
#embed "prelude/errors.js" suffix(, 0)
};
static const unsigned char inspect[] = {
#embed "prelude/inspect.js" suffix(, 0)
};
static const unsigned char encoding[] = {
#embed "prelude/encoding.js" suffix(, 0)
};
static const unsigned char timers[] = {
#embed "prelude/timers.js" suffix(, 0)
};
static const unsigned char events[] = {
#embed "prelude/events.js" suffix(, 0)
};
static const unsigned char path[] = {
#embed "prelude/path.js" suffix(, 0)
};
static const unsigned char buffer[] = {
#embed "prelude/buffer.js" suffix(, 0)
};
static const unsigned char process[] = {
#embed "prelude/process.js" suffix(, 0)
};
static const unsigned char console[] = {
#embed "prelude/console.js" suffix(, 0)
};
static const unsigned char url[] = {
#embed "prelude/url.js" suffix(, 0)
};
static const unsigned char fs[] = {
#embed "prelude/fs.js" suffix(, 0)
};
static const unsigned char util[] = {
#embed "prelude/util.js" suffix(, 0)
};
static const unsigned char assert[] = {
#embed "prelude/assert.js" suffix(, 0)
};
static const unsigned char clone[] = {
#embed "prelude/clone.js" suffix(, 0)
};
static const unsigned char crypto[] = {
#embed "prelude/crypto.js" suffix(, 0)
};
static const unsigned char readline[] = {
#embed "prelude/readline.js" suffix(, 0)
};
static const unsigned char modules[] = {
#embed "prelude/modules.js" suffix(, 0)
};
static const unsigned char report[] = {
#embed "prelude/report.js" suffix(, 0)
};

const struct part prelude[] = {
    PART(support), PART(errors), PART(inspect), PART(encoding), PART(timers), PART(events),
    PART(path), PART(buffer), PART(process), PART(console), PART(url), PART(fs),
    PART(util), PART(assert), PART(clone), PART(crypto), PART(readline), PART(modules),
    PART(report),
};

const size_t prelude_count = sizeof prelude / sizeof prelude[0];
