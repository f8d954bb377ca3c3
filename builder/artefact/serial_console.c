// SPDX-License-Identifier: MIT
#include "artefact/serial_console.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { BIOS_PORTS = 4, IO_PORT_MAX = 0xffff, SPEED_MAX = 115200, SPEED_KERNEL = 9600 };

// What follows a prefix; NULL: it is another text.
static const char *rest_after(const char *text, const char *prefix) {
        size_t size = strlen(prefix);
        if (strncmp(text, prefix, size) != 0)
                return NULL;
        return text + size;
}

// "115200n8r", as Linux' serial consoles have it; "" is the kernel's own.
static bool read_line_settings(const char *text, struct serial_console *into) {
        char *end = (char *)text;
        unsigned long speed = SPEED_KERNEL;
        if (isdigit((unsigned char)*text))
                speed = strtoul(text, &end, 10);
        if (speed == 0 || speed > SPEED_MAX)
                return false;
        into->speed = (unsigned)speed;
        if (*end && strchr("noe", *end))
                into->parity = *end++;
        if (*end == '7' || *end == '8')
                into->bits = *end - '0';
        return true;
}

// "ttyS1,57600n8", "uart8250,io,0x3f8,115200" or "uart,io,0x3f8". False: no serial port at all.
static bool is_serial_console(const char *text, struct serial_console *ret) {
        static const char *const by_address[] = { "uart8250,io,", "uart,io," };
        const char *number = rest_after(text, "ttyS");
        char *end = NULL;
        unsigned long port = IO_PORT_MAX + 1;
        int base = 10;
        for (size_t i = 0; i < lengthof(by_address) && !number; i++) {
                number = rest_after(text, by_address[i]);
                base = 0;
        }
        if (!number || !isdigit((unsigned char)*number))
                return false;
        port = strtoul(number, &end, base);
        bool is_known = port < BIOS_PORTS || (base == 0 && port <= IO_PORT_MAX);
        *ret = (struct serial_console){ .is_said = true, .port = (unsigned)port, .parity = 'n', .bits = 8 };
        if (*end == ',')
                end++;
        ret->is_used = read_line_settings(end, ret) && is_known;
        return true;
}

struct serial_console serial_console_of(const struct strings *arguments) {
        assert(arguments);
        struct serial_console last = { 0 }, found;
        bool has_any = false;
        for (size_t i = 0; i < arguments->count; i++) {
                const char *console = rest_after(arguments->items[i], "console=");
                if (!console)
                        continue;
                has_any = true;
                if (!is_serial_console(console, &found))
                        continue;
                last = found;
        }
        if (!has_any)
                last = (struct serial_console){ .is_used = true, .speed = SPEED_MAX, .parity = 'n', .bits = 8 };
        return last;
}
