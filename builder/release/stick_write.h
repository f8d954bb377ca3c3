// SPDX-License-Identifier: MIT
// Writing a role's ISO to a stick, and reading it back.
#ifndef KILN_RELEASE_STICK_WRITE_H
#define KILN_RELEASE_STICK_WRITE_H

#include "base/err.h"

struct stick_options {
        const char *build; // a published build
        const char *role;
        const char *device;
        bool allow_fixed; // also a disk that is neither removable, nor behind USB, nor an SD card
        bool allow_file;  // also a regular file that is there
        bool dry_run;     // all but writing
        // Asks whether what `what` describes may be overwritten: false with an error if not. NULL: nobody is asked.
        bool (*confirm)(const char *what, void *context, struct err *err);
        void *context;
};

// Shows what is on the device, asks, writes the ISO and compares every byte that the device gives back, past the page
// cache. USAGE, before a byte is written: no disk, a part of one, one that is in use, fixed, read-only or too small.
// The first mebibyte is emptied first and written last: a stick that was not finished boots nothing, and says so.
must_check bool stick_write(const struct stick_options *options, struct err *err);

#endif
