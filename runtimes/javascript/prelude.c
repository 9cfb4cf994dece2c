/* The files of the prelude in the order in which they run; each uses what came before. A unit of
 * its own, so that a change to the prelude does not compile the engine again. */
#include "prelude.h"

#define PART(variable) { "lazaret:" #variable, variable, sizeof variable - 1 }

static const unsigned char support[] = {
#embed "support.js" suffix(, 0)
};
static const unsigned char errors[] = {
#embed "errors.js" suffix(, 0)
};
static const unsigned char locale[] = {
#embed "locale.js" suffix(, 0)
};
static const unsigned char inspect[] = {
#embed "inspect.js" suffix(, 0)
};
static const unsigned char encoding[] = {
#embed "encoding.js" suffix(, 0)
};
static const unsigned char timers[] = {
#embed "timers.js" suffix(, 0)
};
static const unsigned char events[] = {
#embed "events.js" suffix(, 0)
};
static const unsigned char path[] = {
#embed "path.js" suffix(, 0)
};
static const unsigned char buffer[] = {
#embed "buffer.js" suffix(, 0)
};
static const unsigned char process[] = {
#embed "process.js" suffix(, 0)
};
static const unsigned char console[] = {
#embed "console.js" suffix(, 0)
};
static const unsigned char url[] = {
#embed "url.js" suffix(, 0)
};
static const unsigned char fs[] = {
#embed "fs.js" suffix(, 0)
};
static const unsigned char util[] = {
#embed "util.js" suffix(, 0)
};
static const unsigned char assert[] = {
#embed "assert.js" suffix(, 0)
};
static const unsigned char clone[] = {
#embed "clone.js" suffix(, 0)
};
static const unsigned char crypto[] = {
#embed "crypto.js" suffix(, 0)
};
static const unsigned char readline[] = {
#embed "readline.js" suffix(, 0)
};
static const unsigned char modules[] = {
#embed "modules.js" suffix(, 0)
};
static const unsigned char report[] = {
#embed "report.js" suffix(, 0)
};

const struct part prelude[] = {
    PART(support), PART(errors), PART(locale), PART(inspect), PART(encoding), PART(timers), PART(events),
    PART(path), PART(buffer), PART(process), PART(console), PART(url), PART(fs),
    PART(util), PART(assert), PART(clone), PART(crypto), PART(readline), PART(modules),
    PART(report),
};

const size_t prelude_count = sizeof prelude / sizeof prelude[0];
