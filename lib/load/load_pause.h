/*
 * load_pause: how long to wait before a request is sent again. Pure.
 */
#ifndef LIB_LOAD_LOAD_PAUSE_H
#define LIB_LOAD_LOAD_PAUSE_H

#include <stdint.h>

/*
 * Milliseconds before attempt number `attempts` + 1 (attempts >= 1). From a quarter of a second it
 * doubles up to 15 s, of which chance takes up to a half away. Never less than `told_seconds`
 * (Retry-After; 0: not told), to which chance adds up to a quarter of a second; of those at most
 * an hour when the service limits its clients (429), a minute when it fails.
 */
int64_t load_pause_ms(unsigned attempts, long status, int64_t told_seconds, uint32_t chance);

#endif
