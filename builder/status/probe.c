// SPDX-License-Identifier: MIT
#include "status/probe.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"

enum { SPARE_DESCRIPTORS = 32, EVENTS_AT_ONCE = 256, READ_BYTES = 16 << 10, WAIT_MS = 100 };
enum { READ_AT_ONCE = 256 << 10 }; // then others have their turn

// A probe under way.
struct connection {
        struct probe *probe;
        int fd; // -1: over
        bool is_connected;
        struct buf next;                // what is sent after the request
        size_t sent;                    // of that or of the request
        int64_t started_ms, overdue_ms; // that by run_clock()
};

struct run {
        struct connection *connections;
        size_t count, begun, open, first_open;
        unsigned deadline_ms;
        int epoll;
        size_t held;        // bytes of answers
        size_t served;      // events since the overdue were looked for
        int64_t judging_ms; // so long nobody was listened to
};

// Stands still while answers are judged: nobody is overdue because another's answer is long.
static int64_t run_clock(const struct run *run) { return monotonic_ms() - run->judging_ms; }

static void drop_answer(struct run *run, struct probe *probe) {
        run->held -= probe->answer.size;
        buf_release(&probe->answer);
        probe->http = (struct http_reader){ 0 };
}

static void judge_probe(struct run *run, struct probe *probe) {
        int64_t began_ms = monotonic_ms();
        if (!probe->judge)
                return;
        probe->judge(probe, probe->context);
        drop_answer(run, probe);
        run->judging_ms += monotonic_ms() - began_ms;
}

static void end_connection(struct run *run, struct connection *connection, enum probe_end end, int error) {
        connection->probe->end = end;
        connection->probe->error = error;
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        connection->probe->elapsed_ms = (unsigned)(monotonic_ms() - connection->started_ms);
        connection->probe->ended_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
        buf_release(&connection->next);
        if (connection->fd >= 0) {
                close(connection->fd);
                connection->fd = -1;
                run->open--;
        }
        judge_probe(run, connection->probe);
}

static enum probe_end end_of_error(int error, bool is_connected) {
        if (is_connected)
                return PROBE_BROKEN;
        switch (error) {
        case ECONNREFUSED:
                return PROBE_REFUSED;
        case ETIMEDOUT:
                return PROBE_TIMED_OUT;
        default:
                return PROBE_UNREACHABLE;
        }
}

static void fail_connection(struct run *run, struct connection *connection, int error) {
        end_connection(run, connection, end_of_error(error, connection->is_connected), error);
}

// ---- one connection ----

static bool watch(const struct run *run, const struct connection *connection, int operation, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = (void *)connection };
        return epoll_ctl(run->epoll, operation, connection->fd, &event) == 0;
}

// False, with errno, for what is no matter of the other side.
static bool begin_connection(struct run *run, struct connection *connection) {
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_addr = connection->probe->address,
                                             .sin_port = htons(connection->probe->port) };
        connection->started_ms = monotonic_ms();
        connection->overdue_ms = run_clock(run) + run->deadline_ms;
        connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->fd < 0)
                return false;
        run->open++;
        if (!watch(run, connection, EPOLL_CTL_ADD, EPOLLOUT))
                return false;
        bool is_under_way =
            connect(connection->fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS;
        if (!is_under_way)
                fail_connection(run, connection, errno);
        return true;
}

bool probe_is_cut(const struct probe *probe) {
        assert(probe->is_http);
        return http_reader_is_cut(&probe->http);
}

// A conversation goes on, or is over.
static void continue_conversation(struct run *run, struct connection *connection) {
        const struct probe *probe = connection->probe;
        auto_buf next = { 0 };
        if (probe->next(probe->subject, &probe->answer, &next)) {
                end_connection(run, connection, PROBE_ANSWERED, 0);
                return;
        }
        if (next.size == 0)
                return;
        buf_clear(&connection->next);
        buf_append(&connection->next, next.data, next.size);
        connection->sent = 0;
        if (!watch(run, connection, EPOLL_CTL_MOD, EPOLLOUT))
                fail_connection(run, connection, errno);
}

// True: that is the end of the answer.
static bool take_block(struct run *run, struct probe *probe, const char *block, size_t size) {
        size_t had = probe->answer.size;
        buf_append(&probe->answer, block, size);
        run->held += probe->answer.size - had;
        return probe->answer.overflow || (probe->is_http && http_reader_feed(&probe->http, &probe->answer));
}

static void read_some(struct run *run, struct connection *connection) {
        struct probe *probe = connection->probe;
        size_t had = probe->answer.size;
        char block[READ_BYTES];
        ssize_t got = 0;
        bool is_over = false;
        do {
                got = read(connection->fd, block, sizeof block);
                if (got > 0)
                        is_over = take_block(run, probe, block, (size_t)got);
        } while (got > 0 && !is_over && probe->answer.size - had < READ_AT_ONCE);
        if (is_over || got == 0)
                end_connection(run, connection, PROBE_ANSWERED, 0);
        else if (got < 0 && errno != EAGAIN && errno != EINTR)
                fail_connection(run, connection, errno);
        else if (probe->next && probe->answer.size > had)
                continue_conversation(run, connection);
}

static void send_some(struct run *run, struct connection *connection) {
        const char *text = connection->probe->request;
        size_t size = connection->probe->request_size;
        if (connection->next.size > 0) {
                text = connection->next.data;
                size = connection->next.size;
        }
        size_t left = size - connection->sent;
        ssize_t sent = 0;
        if (left > 0)
                sent = send(connection->fd, text + connection->sent, left, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                fail_connection(run, connection, errno);
                return;
        }
        if (sent > 0)
                connection->sent += (size_t)sent;
        if (connection->sent == size && !watch(run, connection, EPOLL_CTL_MOD, EPOLLIN))
                fail_connection(run, connection, errno);
}

static void finish_connecting(struct run *run, struct connection *connection) {
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        if (error != 0) {
                fail_connection(run, connection, error);
                return;
        }
        connection->is_connected = true;
        if (!connection->probe->request)
                end_connection(run, connection, PROBE_ANSWERED, 0);
}

static void serve_event(struct run *run, struct connection *connection, uint32_t events) {
        if (connection->fd >= 0 && !connection->is_connected)
                finish_connecting(run, connection);
        if (connection->fd >= 0 && (events & EPOLLOUT))
                send_some(run, connection);
        if (connection->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                read_some(run, connection);
}

// ---- all of them ----

static size_t most_at_once(void) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return SPARE_DESCRIPTORS;
        limit.rlim_cur = limit.rlim_max;
        (void)!setrlimit(RLIMIT_NOFILE, &limit); // fewer at once are slower and as right
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= 2 * SPARE_DESCRIPTORS)
                return SPARE_DESCRIPTORS;
        return limit.rlim_cur - SPARE_DESCRIPTORS;
}

// Descriptors and memory of sockets are others', too: with some of ours open, they come back as those end.
static bool waits_for_others(struct run *run, struct connection *connection) {
        bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM || errno == ENOSPC;
        int error = errno;
        if (connection->fd >= 0) {
                close(connection->fd);
                connection->fd = -1;
                run->open--;
        }
        errno = error;
        return is_short && run->open > 0;
}

static bool begin_more(struct run *run, size_t most, struct err *err) {
        while (run->begun < run->count && run->open < most) {
                struct connection *connection = &run->connections[run->begun];
                if (!begin_connection(run, connection) && !waits_for_others(run, connection))
                        return fail(err, ERR_SYSTEM, errno, "open a connection");
                if (connection->fd < 0 && connection->probe->ended_s == 0)
                        return true;
                run->begun++;
        }
        return true;
}

// Servers of texts may keep the connection: what they said until now is the answer.
static enum probe_end end_at_deadline(const struct connection *connection) {
        if (!connection->is_connected)
                return PROBE_TIMED_OUT;
        const struct probe *probe = connection->probe;
        bool may_be_whole = probe->answer.size > 0 && !probe->is_http && !probe->next;
        if (may_be_whole)
                return PROBE_ANSWERED;
        return PROBE_SILENT;
}

static void end_overdue(struct run *run) {
        int64_t now_ms = run_clock(run);
        run->served = 0;
        while (run->first_open < run->begun && run->connections[run->first_open].fd < 0)
                run->first_open++;
        // They began in this order, so that the first one which has time left ends the search.
        for (size_t i = run->first_open; i < run->begun; i++) {
                struct connection *connection = &run->connections[i];
                if (connection->fd < 0)
                        continue;
                if (now_ms < connection->overdue_ms)
                        break;
                end_connection(run, connection, end_at_deadline(connection), 0);
        }
}

static struct connection *find_largest(const struct run *run) {
        struct connection *largest = NULL;
        for (size_t i = run->first_open; i < run->begun; i++) {
                struct connection *connection = &run->connections[i];
                if (connection->fd < 0)
                        continue;
                if (!largest || connection->probe->answer.size > largest->probe->answer.size)
                        largest = connection;
        }
        return largest;
}

// Those that say most give way, so that there is room for the others.
static void bound_held(struct run *run) {
        struct connection *largest;
        while (run->held > PROBE_HELD_MAX && (largest = find_largest(run))) {
                drop_answer(run, largest->probe);
                largest->probe->answer.overflow = true;
                end_connection(run, largest, PROBE_ANSWERED, 0);
        }
}

static bool run_all(struct run *run, struct err *err) {
        size_t most = most_at_once();
        struct epoll_event events[EVENTS_AT_ONCE];
        while (run->begun < run->count || run->open > 0) {
                if (!interrupt_check(err) || !begin_more(run, most, err))
                        return false;
                int count = epoll_wait(run->epoll, events, EVENTS_AT_ONCE, WAIT_MS);
                if (count < 0 && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "wait for answers");
                for (int i = 0; i < count; i++)
                        serve_event(run, events[i].data.ptr, events[i].events);
                bound_held(run);
                // A machine under load comes late to what has arrived: that is read before anybody is overdue. The
                // kernel gives each its turn.
                if (count > 0)
                        run->served += (size_t)count;
                if (count < EVENTS_AT_ONCE || run->served > run->open)
                        end_overdue(run);
        }
        return true;
}

bool probes_run(struct probe *probes, size_t count, unsigned deadline_ms, struct err *err) {
        assert((probes || count == 0) && deadline_ms > 0);
        struct run run = { .count = count, .deadline_ms = deadline_ms, .epoll = epoll_create1(EPOLL_CLOEXEC) };
        auto_close int epoll = run.epoll;
        if (epoll < 0)
                return fail(err, ERR_SYSTEM, errno, "epoll_create");
        auto_free struct connection *connections = xcalloc(count + 1, sizeof *connections);
        run.connections = connections;
        for (size_t i = 0; i < count; i++) {
                probes[i].answer.max = PROBE_ANSWER_MAX;
                connections[i] = (struct connection){ .probe = &probes[i], .fd = -1 };
        }
        bool ok = run_all(&run, err);
        for (size_t i = 0; i < count; i++) {
                buf_release(&connections[i].next);
                if (connections[i].fd >= 0)
                        close(connections[i].fd);
        }
        return ok;
}

void probe_release(struct probe *probe) { buf_release(&probe->answer); }
