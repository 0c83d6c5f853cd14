/*
 * integer: what C has no operator for. Pure.
 */
#ifndef LIB_BASE_INTEGER_H
#define LIB_BASE_INTEGER_H

#include <stdint.h>

static inline int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Rounded towards minus infinity. The divisor is positive. */
static inline int64_t floor_divide(int64_t dividend, int64_t divisor)
{
    int64_t quotient = dividend / divisor;
    return dividend % divisor < 0 ? quotient - 1 : quotient;
}

#endif
