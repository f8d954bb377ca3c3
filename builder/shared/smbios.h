// SPDX-License-Identifier: MIT
// What SMBIOS says of a machine (DSP0134, System Information and Chassis): serial number, UUID, asset tag. Boards come
// with place holders in them, which name no machine. Shared by the builder, which checks an inventory, and kiln-node.
#ifndef KILN_SHARED_SMBIOS_H
#define KILN_SHARED_SMBIOS_H

#include <stdbool.h>
#include <stdint.h>

enum { SMBIOS_TEXT_MAX = 127 };

// Whether a serial number or asset tag tells nothing: empty, one byte repeated, counted-up digits, or words such as
// "To Be Filled By O.E.M.". Case and blanks at both ends do not matter.
bool smbios_text_is_placeholder(const char *text);
bool smbios_text_equal(const char *a, const char *b); // case and blanks at both ends do not matter

// 8-4-4-4-12 hex digits of either case.
bool smbios_uuid_parse(const char *text, uint8_t ret[static 16]);
// All bytes the same, or one that boards are known to share.
bool smbios_uuid_is_placeholder(const uint8_t uuid[static 16]);
// SMBIOS before 2.6 did not say in which order the bytes of the first three fields are: both are the same machine.
bool smbios_uuid_equal(const uint8_t a[static 16], const uint8_t b[static 16]);

#endif
