// SPDX-License-Identifier: MIT
// Names to addresses. Not getaddrinfo(3): in a static program it is 100 KB more, and it looks for the libraries of the
// name service switch.
#include <arpa/nameser.h>
#include <assert.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/http/http.h"

enum { ANSWER_MAX = 4096, HOSTS_MAX = 1 << 20, DNS_WAIT_S = 3, DNS_TRIES = 2 };

static size_t resolve_by_hosts(const char *host, struct address *ret, size_t room) {
        size_t count = 0;
        auto_buf text = { .max = HOSTS_MAX };
        auto_err ignored = { 0 };
        auto_close int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || !buf_read_fd(&text, fd, &ignored) || text.size == 0)
                return 0;
        char *lines = NULL;
        for (char *line = strtok_r(text.data, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                char *words = NULL;
                struct address address;
                line[strcspn(line, "#")] = '\0';
                char *word = strtok_r(line, " \t", &words);
                if (!word || !address_parse_any(word, &address))
                        continue;
                while ((word = strtok_r(NULL, " \t", &words)) && strcasecmp(word, host) != 0)
                        ;
                if (word && count < room)
                        ret[count++] = address;
        }
        return count;
}

// The A or AAAA records of an answer, CNAMEs passed over: a recursive server sends the whole chain.
static size_t read_records(const unsigned char *answer, int size, enum __ns_type type, struct address *ret,
                           size_t room) {
        static const struct { uint8_t family, size; } kinds[] = { [ns_t_a] = { 4, 4 }, [ns_t_aaaa] = { 6, 16 } };
        ns_msg message;
        ns_rr record;
        size_t count = 0;
        if (size < 0 || size > ANSWER_MAX || ns_initparse(answer, size, &message) < 0)
                return 0;
        for (int i = 0; i < ns_msg_count(message, ns_s_an) && count < room; i++)
                if (ns_parserr(&message, ns_s_an, i, &record) == 0 && ns_rr_type(record) == type &&
                    ns_rr_class(record) == ns_c_in && ns_rr_rdlen(record) == kinds[type].size) {
                        ret[count] = (struct address){ .family = kinds[type].family };
                        memcpy(ret[count++].bytes, ns_rr_rdata(record), kinds[type].size);
                }
        return count;
}

static size_t ask_for_records(res_state state, const char *host, enum __ns_type type, struct address *ret,
                              size_t room) {
        auto_free unsigned char *answer = xmalloc(ANSWER_MAX);
        return read_records(answer, res_nsearch(state, host, ns_c_in, type, answer, ANSWER_MAX), type, ret, room);
}

size_t http_resolve(const char *host, struct address *ret, size_t room, struct err *err) {
        assert(room >= 2);
        if (address_parse_any(host, ret))
                return 1;
        size_t count = resolve_by_hosts(host, ret, room);
        if (count > 0)
                return count;
        struct __res_state state = { 0 };
        if (res_ninit(&state) < 0) {
                (void)fail(err, ERR_NETWORK, 0, "look up %s: no resolver", host);
                return 0;
        }
        state.retrans = DNS_WAIT_S;
        state.retry = DNS_TRIES;
        int64_t start = clock_now_ms();
        count = ask_for_records(&state, host, ns_t_a, ret, room / 2);
        bool is_silent = count == 0 && clock_now_ms() - start >= DNS_WAIT_S * 1000; // and would be so again
        if (!is_silent)
                count += ask_for_records(&state, host, ns_t_aaaa, ret + count, room - count);
        const char *why = "no address";
        if (state.res_h_errno > 0)
                why = hstrerror(state.res_h_errno);
        if (count == 0)
                (void)fail(err, ERR_NETWORK, 0, "look up %s: %s", host, why);
        res_nclose(&state);
        return count;
}
