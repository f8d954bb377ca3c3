// SPDX-License-Identifier: MIT
// Numbers in a packet: most significant byte first, at any address.
#ifndef KILN_NODE_DHCP_BIG_ENDIAN_H
#define KILN_NODE_DHCP_BIG_ENDIAN_H

#include <stddef.h>
#include <stdint.h>

// `width` 0 (which is 0) to 4 bytes.
static inline uint32_t read_be(const uint8_t *at, size_t width) {
        uint32_t number = 0;
        for (size_t i = 0; i < width; i++)
                number = number << 8 | at[i];
        return number;
}

static inline uint16_t read_be16(const uint8_t *at) { return (uint16_t)read_be(at, 2); }
static inline uint32_t read_be32(const uint8_t *at) { return read_be(at, 4); }

static inline void write_be16(uint8_t *at, unsigned value) {
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static inline void write_be32(uint8_t *at, uint32_t value) {
        write_be16(at, value >> 16);
        write_be16(at + 2, value & 0xffff);
}

#endif
