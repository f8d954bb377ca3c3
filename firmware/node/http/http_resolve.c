// SPDX-License-Identifier: MIT
// Names to addresses. Not getaddrinfo(3): in a static program it is 100 KB more, and it looks for the libraries of the
// name service switch.
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/http/http.h"

enum { ANSWER_MAX = 4096, HOSTS_MAX = 1 << 20, DNS_WAIT_S = 3, DNS_TRIES = 2 };

static size_t resolve_by_hosts(const char *host, uint32_t *ret) {
        auto_buf text = { .max = HOSTS_MAX };
        auto_err ignored = { 0 };
        auto_close int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || !buf_read_fd(&text, fd, &ignored) || text.size == 0)
                return 0;
        char *lines = NULL;
        for (char *line = strtok_r(text.data, "\n", &lines); line; line = strtok_r(NULL, "\n", &lines)) {
                char *words = NULL;
                struct in_addr address;
                line[strcspn(line, "#")] = '\0';
                char *word = strtok_r(line, " \t", &words);
                if (!word || inet_pton(AF_INET, word, &address) != 1)
                        continue;
                while ((word = strtok_r(NULL, " \t", &words)))
                        if (strcasecmp(word, host) == 0) {
                                *ret = address.s_addr;
                                return 1;
                        }
        }
        return 0;
}

// The A records of an answer, CNAMEs passed over: a recursive server sends the whole chain.
static size_t read_a_records(const unsigned char *answer, int size, uint32_t *ret, size_t room) {
        ns_msg message;
        ns_rr record;
        size_t count = 0;
        if (size < 0 || size > ANSWER_MAX || ns_initparse(answer, size, &message) < 0)
                return 0;
        for (int i = 0; i < ns_msg_count(message, ns_s_an) && count < room; i++)
                if (ns_parserr(&message, ns_s_an, i, &record) == 0 && ns_rr_type(record) == ns_t_a &&
                    ns_rr_class(record) == ns_c_in && ns_rr_rdlen(record) == sizeof *ret)
                        memcpy(&ret[count++], ns_rr_rdata(record), sizeof *ret);
        return count;
}

size_t http_resolve(const char *host, uint32_t *ret, size_t room, struct err *err) {
        struct in_addr literal;
        if (inet_pton(AF_INET, host, &literal) == 1) {
                *ret = literal.s_addr;
                return 1;
        }
        size_t count = resolve_by_hosts(host, ret);
        if (count > 0)
                return count;
        struct __res_state state = { 0 };
        auto_free unsigned char *answer = xmalloc(ANSWER_MAX);
        if (res_ninit(&state) < 0) {
                (void)fail(err, ERR_NETWORK, 0, "look up %s: no resolver", host);
                return 0;
        }
        state.retrans = DNS_WAIT_S;
        state.retry = DNS_TRIES;
        count = read_a_records(answer, res_nsearch(&state, host, ns_c_in, ns_t_a, answer, ANSWER_MAX), ret, room);
        const char *why = "no address";
        if (state.res_h_errno > 0)
                why = hstrerror(state.res_h_errno);
        if (count == 0)
                (void)fail(err, ERR_NETWORK, 0, "look up %s: %s", host, why);
        res_nclose(&state);
        return count;
}
