// SPDX-License-Identifier: MIT
// Arrays of structs that begin with an IPv4 address, in the order of their addresses.
#ifndef KILN_HTTP_ADDRESS_ORDER_H
#define KILN_HTTP_ADDRESS_ORDER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Where an address stands among `count` items of `size` bytes, or would.
static inline size_t address_place(const void *items, size_t count, size_t size, uint32_t address) {
        size_t low = 0, high = count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                uint32_t there;
                memcpy(&there, (const char *)items + middle * size, sizeof there);
                if (there < address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

#endif
