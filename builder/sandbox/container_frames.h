// SPDX-License-Identifier: MIT
// What the two sides of a container (container.c outside, container_init.c inside) say to each other, and to nobody
// else. The inner side is this program executed anew, under the name below and with these descriptors.
#ifndef KILN_SANDBOX_CONTAINER_FRAMES_H
#define KILN_SANDBOX_CONTAINER_FRAMES_H

#include <stdint.h>

#define CONTAINER_INIT_NAME "kiln-sandbox"

// Descriptors of init at its start: the mount that becomes "/", a pipe for frames, the request (a file).
enum { CONTAINER_ROOT = 3, CONTAINER_REPORT, CONTAINER_REQUEST };

// A frame is this header and `size` bytes. STEP: none. WARNING, TASK (of the worker's present work; none when it
// ends): text. ERROR: kind and number (uint32_t each), text, NUL, hint. DONE: none.
enum { FRAME_STEP = 1, FRAME_WARNING, FRAME_TASK, FRAME_ERROR, FRAME_DONE, FRAME_BYTES_MAX = 1 << 20 };
struct frame {
        uint32_t type, size;
};

struct container_channel {
        int fd;
};

// What init and guard end with for the status of a child, as a shell tells it: 128 and the signal's number for one that
// a signal killed.
int container_exit_status(int status);

#endif
