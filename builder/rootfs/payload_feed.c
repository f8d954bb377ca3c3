// SPDX-License-Identifier: MIT
#include "rootfs/payload_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/packages.h"

enum {
        PIECE_BYTES = 256 << 10, // of the payload, a block each
        PIECES_MAX = 384,        // ready at a time: 96 MB, so that two large packages are unpacked beside each other
        READ_BYTES = 64 << 10,
        UNPACKING_MAX = 100 << 20, // memory, as librpm has it (rpmio.c)
        PIPE_BYTES = 1 << 20       // what every user may have, see pipe(7)
};

static const unsigned char xz_magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };

struct payload_feed {
        int package;             // the caller's
        int output, input, wake; // the pipe's ends, and an eventfd that stops the thread
        atomic_bool is_stopped;
        pthread_t thread;

        // The thread's own.
        uint64_t at; // in the package
        lzma_stream unpacking;
        lzma_index *blocks;
        uint8_t *read, *unpacked;
        bool is_complete; // all of it is in the pieces
        struct buf pieces[PIECES_MAX];
        size_t first, count; // that are not written yet, around the end of the array
        size_t written;      // bytes of the first one
};

// ---- pieces that are ready ----

static struct buf *new_piece(struct payload_feed *feed) {
        struct buf *piece = &feed->pieces[(feed->first + feed->count) % PIECES_MAX];
        feed->count++;
        buf_clear(piece);
        return piece;
}

static void drop_piece(struct payload_feed *feed) {
        feed->first = (feed->first + 1) % PIECES_MAX;
        feed->count--;
        feed->written = 0;
}

// ---- unpacking ----

static ssize_t read_package(struct payload_feed *feed, void *memory, size_t size) {
        ssize_t got;
        do
                got = pread(feed->package, memory, size, (off_t)feed->at);
        while (got < 0 && errno == EINTR);
        if (got > 0)
                feed->at += (uint64_t)got;
        return got;
}

// Up to a piece; less at the payload's end. False: it is damaged, or cannot be read.
static bool unpack_some(struct payload_feed *feed, size_t *ret_size, bool *ret_end) {
        lzma_stream *stream = &feed->unpacking;
        lzma_ret status = LZMA_OK;
        stream->next_out = feed->unpacked;
        stream->avail_out = PIECE_BYTES;
        while (stream->avail_out > 0 && status == LZMA_OK) {
                lzma_action action = LZMA_RUN;
                if (stream->avail_in == 0) {
                        ssize_t got = read_package(feed, feed->read, READ_BYTES);
                        if (got < 0)
                                return false;
                        stream->next_in = feed->read;
                        stream->avail_in = (size_t)got;
                        if (got == 0)
                                action = LZMA_FINISH;
                }
                status = lzma_code(stream, action);
        }
        *ret_size = PIECE_BYTES - stream->avail_out;
        *ret_end = status == LZMA_STREAM_END;
        return status == LZMA_OK || *ret_end;
}

// Storing fails for want of memory only.
static void store_block(struct payload_feed *feed, size_t size) {
        lzma_filter filters[LZMA_FILTERS_MAX + 1];
        lzma_block block = { .version = 0, .check = LZMA_CHECK_NONE, .filters = filters };
        struct buf *piece = new_piece(feed);
        size_t most = lzma_block_buffer_bound(size);
        uint8_t *room = (uint8_t *)buf_reserve(piece, most);
        if (!room || lzma_block_uncomp_encode(&block, feed->unpacked, size, room, &piece->size, most) != LZMA_OK ||
            lzma_index_append(feed->blocks, NULL, lzma_block_unpadded_size(&block), block.uncompressed_size) != LZMA_OK)
                abort();
}

static const lzma_stream_flags stored_flags = { .version = 0, .check = LZMA_CHECK_NONE };

static void put_stream_end(struct payload_feed *feed) {
        lzma_stream_flags flags = stored_flags;
        struct buf *piece = new_piece(feed);
        flags.backward_size = lzma_index_size(feed->blocks);
        size_t most = (size_t)flags.backward_size + LZMA_STREAM_HEADER_SIZE;
        uint8_t *room = (uint8_t *)buf_reserve(piece, most);
        if (!room || lzma_index_buffer_encode(feed->blocks, room, &piece->size, most) != LZMA_OK ||
            lzma_stream_footer_encode(&flags, room + piece->size) != LZMA_OK)
                abort();
        piece->size += LZMA_STREAM_HEADER_SIZE;
}

static bool unpack_piece(struct payload_feed *feed) {
        size_t size;
        bool is_end;
        if (!unpack_some(feed, &size, &is_end))
                return false;
        if (size > 0)
                store_block(feed, size);
        if (is_end)
                put_stream_end(feed);
        feed->is_complete = is_end;
        return true;
}

// All before the payload, as it is, and the beginning of another payload.
static bool put_head(struct payload_feed *feed, uint64_t payload_offset) {
        struct buf *piece = new_piece(feed);
        uint8_t *room = (uint8_t *)buf_reserve(piece, (size_t)payload_offset + LZMA_STREAM_HEADER_SIZE);
        while (room && feed->at < payload_offset)
                if (read_package(feed, room + feed->at, (size_t)(payload_offset - feed->at)) <= 0)
                        return false;
        if (!room || lzma_stream_header_encode(&stored_flags, room + payload_offset) != LZMA_OK)
                return false;
        piece->size = (size_t)payload_offset + LZMA_STREAM_HEADER_SIZE;
        return true;
}

// ---- writing ----

// Until the pipe takes more, or the feed is stopped.
static void wait_for_room(const struct payload_feed *feed) {
        struct pollfd pollers[] = { { feed->input, POLLOUT, 0 }, { feed->wake, POLLIN, 0 } };
        (void)poll(pollers, lengthof(pollers), -1);
}

// What the pipe takes at once. False: nobody reads any more.
static bool write_pieces(struct payload_feed *feed) {
        while (feed->count > 0) {
                const struct buf *piece = &feed->pieces[feed->first];
                ssize_t done = write(feed->input, piece->data + feed->written, piece->size - feed->written);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return errno == EAGAIN;
                feed->written += (size_t)done;
                if (feed->written == piece->size)
                        drop_piece(feed);
        }
        return true;
}

static void *feed_main(void *context) {
        struct payload_feed *feed = context;
        while (!atomic_load(&feed->is_stopped) && write_pieces(feed)) {
                if (feed->is_complete && feed->count == 0)
                        break;
                // One piece more than a payload's last one is its end.
                bool is_full = feed->is_complete || feed->count + 1 >= PIECES_MAX;
                if (is_full)
                        wait_for_room(feed);
                else if (!unpack_piece(feed))
                        feed->is_complete = true; // what came before the damage is handed on
        }
        close(feed->input);
        feed->input = -1;
        return NULL;
}

// ---- for the caller ----

static void free_feed(struct payload_feed *feed) {
        close_cleanup(&feed->output);
        close_cleanup(&feed->input);
        close_cleanup(&feed->wake);
        lzma_end(&feed->unpacking);
        lzma_index_end(feed->blocks, NULL);
        for (size_t i = 0; i < PIECES_MAX; i++)
                buf_release(&feed->pieces[i]);
        free(feed->read);
        free(feed->unpacked);
        free(feed);
}

static bool is_xz(int package, uint64_t offset) {
        unsigned char magic[sizeof xz_magic];
        return pread(package, magic, sizeof magic, (off_t)offset) == (ssize_t)sizeof magic &&
               memcmp(magic, xz_magic, sizeof magic) == 0;
}

static bool find_xz_payload(int package, uint64_t *ret_offset) {
        auto_err not_told = { 0 }; // librpm reads the same file, and tells
        return package_find_payload(package, ret_offset, &not_told) && is_xz(package, *ret_offset);
}

static bool open_pipe(struct payload_feed *feed) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return false;
        feed->output = ends[0];
        feed->input = ends[1];
        feed->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        (void)fcntl(feed->input, F_SETPIPE_SZ, PIPE_BYTES); // else it wakes more often
        return feed->wake >= 0 && fcntl(feed->input, F_SETFL, O_NONBLOCK) == 0;
}

static bool start_unpacking_thread(struct payload_feed *feed) {
        sigset_t all, before;
        sigfillset(&all); // SIGPIPE too: a pipe that nobody reads is EPIPE then
        pthread_sigmask(SIG_SETMASK, &all, &before);
        bool ok = pthread_create(&feed->thread, NULL, feed_main, feed) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return ok;
}

struct payload_feed *payload_feed_start(int package) {
        uint64_t offset;
        if (!find_xz_payload(package, &offset))
                return NULL;
        struct payload_feed *feed = xcalloc(1, sizeof *feed);
        *feed = (struct payload_feed){ .package = package, .output = -1, .input = -1, .wake = -1 };
        feed->blocks = lzma_index_init(NULL);
        feed->read = xmalloc(READ_BYTES);
        feed->unpacked = xmalloc(PIECE_BYTES);
        bool ok = feed->blocks && open_pipe(feed) &&
                  lzma_stream_decoder(&feed->unpacking, UNPACKING_MAX, 0) == LZMA_OK && put_head(feed, offset) &&
                  start_unpacking_thread(feed);
        if (ok)
                return feed;
        free_feed(feed);
        return NULL;
}

int payload_feed_output(const struct payload_feed *feed) { return feed->output; }

void payload_feed_stop(struct payload_feed *feed) {
        if (!feed)
                return;
        const uint64_t one = 1;
        atomic_store(&feed->is_stopped, true);
        (void)!write(feed->wake, &one, sizeof one);
        pthread_join(feed->thread, NULL);
        free_feed(feed);
}
