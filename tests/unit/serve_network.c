// SPDX-License-Identifier: MIT
// Ranges, paths, speeds, offers, and who may load a root now.
#include "http/http_range.h"

#include "serve/admission.h"
#include "serve/dhcp_probe.h"
#include "serve/dnsmasq_config.h"
#include "serve/rate.h"
#include "tests/unit/test.h"

static void ranges(void) {
        static const struct {
                const char *header;
                enum range_kind kind;
                uint64_t first, count;
        } cases[] = {
                { NULL, RANGE_WHOLE, 0, 100 },
                { "bytes=0-0", RANGE_PART, 0, 1 },
                { "BYTES=90-", RANGE_PART, 90, 10 },
                { "bytes=-1", RANGE_PART, 99, 1 },
                { "bytes=-200", RANGE_PART, 0, 100 },
                { "bytes=99-500", RANGE_PART, 99, 1 },
                { "bytes=100-", RANGE_NONE, 0, 100 },
                { "bytes=-0", RANGE_NONE, 0, 100 },
                { "bytes=5-4", RANGE_WHOLE, 0, 100 },
                { "bytes=", RANGE_WHOLE, 0, 100 },
                { "bytes=1", RANGE_WHOLE, 0, 100 },
                { "bytes=--1", RANGE_WHOLE, 0, 100 },
                { "bytes=0-1,3-4", RANGE_WHOLE, 0, 100 },
                { "bytes=18446744073709551616-", RANGE_NONE, 0, 100 },
                { "bytes=1-99999999999999999999999", RANGE_PART, 1, 99 },
                { "bytes=-99999999999999999999999", RANGE_PART, 0, 100 },
                { "bytes= 1-2", RANGE_WHOLE, 0, 100 },
                { "lines=1-2", RANGE_WHOLE, 0, 100 },
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                uint64_t first, count;
                EXPECT(http_range_parse(cases[i].header, 100, &first, &count) == cases[i].kind);
                EXPECT(first == cases[i].first && count == cases[i].count);
        }
        uint64_t first, count;
        EXPECT(http_range_parse("bytes=-5", 0, &first, &count) == RANGE_NONE);
}

static void paths(void) {
        char path[32];
        EXPECT(http_path_clean("//current//pxe/a.b", path, sizeof path));
        EXPECT_TEXT(path, "current/pxe/a.b");
        static const char *const bad[] = { "",      "/",       "/a/",
                                           "/.a",   "/a/../b", "/a/.",
                                           "/a\nb", "/a\\b",   "/aaaaaaaaaa/bbbbbbbbbb/cccccccccc" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                EXPECT(!http_path_clean(bad[i], path, sizeof path));
        EXPECT(http_tag_matches("\"a\", W/\"b\"", "\"b\"") && http_tag_matches("*", "\"b\"") &&
               !http_tag_matches("\"bb\"", "\"b\""));
}

static void targets(void) {
        static const struct {
                const char *target, *host, *path;
        } cases[] = {
                { "/a/b", "", "/a/b" },
                { "*", "", "*" },
                { "http://10.0.0.1:8080/a", "10.0.0.1:8080", "/a" },
                { "HTTPS://rack", "rack", "/" },
                { "/http://rack/a", "", "/http://rack/a" },
                { "http:///a", "", "/a" },
                { "http://aaaaaaaaaaaaaaaaaaaaaaaaa/b", "aaaaaaaaaaaaaaa", "/b" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                char host[16];
                EXPECT_TEXT(http_target_path(cases[i].target, host, sizeof host), cases[i].path);
                EXPECT_TEXT(host, cases[i].host);
                EXPECT_TEXT(http_target_path(cases[i].target, NULL, 0), cases[i].path);
        }
}

static void speeds(void) {
        uint64_t rate = 0;
        EXPECT_OK(rate_parse("2.5G", &rate, err));
        EXPECT(rate == 2500000000U);
        EXPECT_OK(rate_parse("160Mbit/s", &rate, err));
        EXPECT(rate == 160000000U);
        static const char *const bad[] = { "", "G", "-1G", "1X", "nan", "inf", "1e99", "0", "1 G" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct err err = { 0 };
                EXPECT(!rate_parse(bad[i], &rate, &err));
                err_release(&err);
        }
}

// Everybody asks again as told; nobody is passed by all the time, and the places are never idle while somebody waits.
static void nobody_starves(void) {
        enum { CLIENTS = 60, PLACES = 6, TAKES_S = 5 };
        struct admission admission = { 0 };
        int64_t until_s[CLIENTS] = { 0 }, again_s[CLIENTS] = { 0 };
        admission_setup(&admission, 0, PLACES);
        size_t done = 0;
        int64_t now_s = 0;
        for (; done < CLIENTS && now_s < 1000; now_s++) {
                for (size_t i = 0; i < CLIENTS; i++)
                        if (until_s[i] == now_s && now_s > 0) {
                                admission_end(&admission);
                                done++;
                        }
                for (size_t i = 0; i < CLIENTS; i++) {
                        unsigned retry_s = 0;
                        if (until_s[i] || again_s[i] > now_s)
                                continue;
                        if (admission_begin(&admission, (uint32_t)i + 1, false, 1000, now_s * 1000, &retry_s))
                                until_s[i] = now_s + TAKES_S;
                        else
                                again_s[i] = now_s + retry_s;
                        EXPECT(admission.active <= PLACES && (retry_s <= 30));
                }
        }
        EXPECT(done == CLIENTS && admission.waiter_count == 0 && admission.active == 0);
        EXPECT(now_s <= 2 * CLIENTS / PLACES * TAKES_S);
        unsigned retry_s;
        EXPECT(admission_begin(&admission, 1, false, 1, now_s * 1000, &retry_s));
        admission_end(&admission);
        admission_release(&admission);
}

static void limits_follow_the_uplink(void) {
        struct admission admission = { 0 };
        unsigned retry_s;
        admission_setup(&admission, 160000000, 0);
        EXPECT(admission.limit == 8);
        admission_setup(&admission, 1000000, 0);
        EXPECT(admission.limit == 4);
        admission_setup(&admission, 0, 0);
        for (uint32_t i = 0; i < 1000; i++)
                EXPECT(admission_begin(&admission, i, false, 1, 0, &retry_s));
        admission_release(&admission);
}

static void offers(void) {
        unsigned char frame[512] = { 0 };
        struct in_addr server = { 0 };
        frame[14] = 0x45;
        frame[23] = 17;
        frame[42] = 2;
        memcpy(frame + 46, "\x12\x34\x56\x78", 4);
        memcpy(frame + 278, "\x63\x82\x53\x63\x35\x01\x02\x36\x04\x0a\x00\x00\x01\xff", 14);
        EXPECT(dhcp_probe_offer(frame, sizeof frame, 0x12345678, &server) && server.s_addr == htonl(0x0a000001));
        EXPECT(!dhcp_probe_offer(frame, sizeof frame, 0x12345679, &server));
        for (size_t size = 0; size < 291; size++)
                EXPECT(!dhcp_probe_offer(frame, size, 0x12345678, &server) || size >= 291);
        frame[284] = 200; // longer than what is there
        frame[286] = 255;
        EXPECT(!dhcp_probe_offer(frame, 300, 0x12345678, &server));
}

// Whatever a node is called, its line gives it its address, and nothing else.
static void words_of_dnsmasq_are_no_names(void) {
        static const char *const words[] = { "ignore", "Infinite", "12h", "7W", "1s" };
        static const char *const names[] = { "ignored", "12hh", "h", "h12", "1.5d", "12x", "n-1d" };
        struct node node = { .has_mac = true, .mac = { 0x52, 0x54 }, .ip.s_addr = htonl(0x0a000001) };
        const struct cluster cluster = { .nodes = &node, .node_count = 1 };
        for (size_t i = 0; i < lengthof(words); i++) {
                auto_buf line = { 0 };
                node.name = words[i];
                dnsmasq_hosts(&cluster, "", &line);
                EXPECT_TEXT(buf_text(&line), "52:54:00:00:00:00,10.0.0.1\n");
        }
        for (size_t i = 0; i < lengthof(names); i++) {
                auto_buf line = { 0 };
                auto_free char *wanted = xasprintf("52:54:00:00:00:00,10.0.0.1,%s\n", names[i]);
                node.name = names[i];
                dnsmasq_hosts(&cluster, "", &line);
                EXPECT_TEXT(buf_text(&line), wanted);
        }
}

int main(void) {
        RUN(ranges);
        RUN(paths);
        RUN(targets);
        RUN(speeds);
        RUN(nobody_starves);
        RUN(limits_follow_the_uplink);
        RUN(offers);
        RUN(words_of_dnsmasq_are_no_names);
        return test_done();
}
