// SPDX-License-Identifier: MIT
// Threads that write and hash what one thread receives. The receiver only copies bytes into blocks; each file's blocks
// are written in their order, by whichever thread is free, and at the end the file is settled: checked, renamed, its
// signature verified. So neither a disk nor a digest holds up the network.
#ifndef KILN_PACKAGES_FETCH_SINK_H
#define KILN_PACKAGES_FETCH_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct partial;

struct sinks;
struct sink;
typedef bool sink_settle(void *owner, struct err *err);

// `wake` is called from a thread whenever sinks_settled() has something.
struct sinks *sinks_new(void (*wake)(void *context), void *context);
void sinks_stop(struct sinks *sinks); // ends the threads, whatever is left to do
void sinks_free(struct sinks *sinks);

struct sink *sink_new(struct sinks *sinks, struct partial *partial, void *owner);
void sink_free(struct sink *sink); // of a stopped or settled one
// Copies the bytes; waits if the threads are far behind. False: an earlier write failed, and sink_end() will tell why.
must_check bool sink_append(struct sink *sink, const char *data, size_t size);
// No more bytes for now. When all are written, `settle` (may be NULL) is called on a thread, unless a write failed.
void sink_end(struct sink *sink, sink_settle *settle);
// The owner of a sink that has come to its end, and the error that it met, if any; NULL: there is none at the moment.
void *sinks_settled(struct sinks *sinks, struct err *ret_error);

#endif
