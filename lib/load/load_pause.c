#include "load_pause.h"

enum {
    FIRST_MS = 250,
    LAST_MS = 15000,
    SPREAD_MS = 250,
    LIMITED_SECONDS = 3600,
    FAILED_SECONDS = 60
};

int64_t load_pause_ms(unsigned attempts, long status, int64_t told_seconds, uint32_t chance)
{
    int64_t pause_ms = FIRST_MS;
    while (--attempts > 0 && pause_ms < LAST_MS)
        pause_ms *= 2;
    if (pause_ms > LAST_MS)
        pause_ms = LAST_MS;
    pause_ms -= chance % (pause_ms / 2 + 1);

    int64_t told_max = status == 429 ? LIMITED_SECONDS : FAILED_SECONDS;
    int64_t told_ms = 1000 * (told_seconds < told_max ? told_seconds : told_max);
    if (told_ms > 0)
        told_ms += chance % (SPREAD_MS + 1);
    return told_ms > pause_ms ? told_ms : pause_ms;
}
