/* issuers_watch: does the folder of issuers look other than when the configuration was loaded? `tocsin issuer add` makes a folder and an
 * issuer.yaml there; the master then loads the configuration anew by itself. It looks at names, sizes and times, once a second; workers
 * look at nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct issuers_watch {
        uint64_t loaded;   /* how it looked when the configuration was loaded */
        uint64_t seen;     /* ... at the last look */
        int64_t looked_ms; /* monotonic */
        int64_t asked_ms;  /* when it last said yes; 0 = never */
};

/* The configuration is about to be loaded. */
void issuers_watch_begin(struct issuers_watch *watch, const char *folder);
/* Time to load it again? The folder differs and has come to rest: two looks are alike. At most every ISSUERS_WATCH_MIN_MS. */
#define ISSUERS_WATCH_LOOK_MS 1000
#define ISSUERS_WATCH_MIN_MS 5000
bool issuers_watch_asks(struct issuers_watch *watch, const char *folder, int64_t now_ms);
