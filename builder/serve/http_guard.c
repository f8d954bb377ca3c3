// SPDX-License-Identifier: MIT
#include "serve/http_guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"

enum { HOST_SIZE = 256 };

// ---- names ----

static bool is_name(const char *text, size_t size, const char *name) {
        return strlen(name) == size && strncasecmp(text, name, size) == 0;
}

// http://HOST[:PORT]...
static bool is_host_of_url(const char *url, const char *host) {
        const char *begin = NULL;
        if (url)
                begin = strstr(url, "://");
        if (!begin)
                return false;
        begin += 3;
        return is_name(begin, strcspn(begin, ":/"), host);
}

static bool is_below_domain(const char *domain, const char *host) {
        size_t size = strlen(host), domain_size = strlen(domain);
        return size > domain_size && host[size - domain_size - 1] == '.' &&
               is_name(host + size - domain_size, domain_size, domain);
}

static bool is_name_of_cluster(const struct cluster *cluster, const char *host) {
        if (is_host_of_url(cluster->http_base, host) || is_host_of_url(cluster->report_url, host))
                return true;
        for (size_t i = 0; i < cluster->mirrors.count; i++)
                if (is_host_of_url(cluster->mirrors.items[i], host))
                        return true;
        for (size_t i = 0; i < cluster->network_count; i++)
                for (size_t j = 0; j < cluster->networks[i].search.count; j++)
                        if (is_below_domain(cluster->networks[i].search.items[j], host))
                                return true;
        return false;
}

bool http_is_our_host(const struct cluster *cluster, const char *host) {
        assert(cluster && host);
        char name[HOST_SIZE] = "", own[HOST_SIZE] = "";
        struct in_addr address;
        size_t size = strcspn(host, ":");
        if (*host == '[')
                return true; // IPv6
        if (size == 0 || size >= sizeof name)
                return false;
        memcpy(name, host, size);
        if (inet_pton(AF_INET, name, &address) == 1 || !strchr(name, '.'))
                return true;
        (void)gethostname(own, sizeof own - 1);
        return strcasecmp(name, own) == 0 || is_name_of_cluster(cluster, name);
}

// ---- requests ----

static const char *host_of(const struct http_request *request) {
        if (*request->host)
                return request->host;
        return http_header(request, MHD_HTTP_HEADER_HOST);
}

static bool check_host(const struct http_request *request, enum MHD_Result *ret) {
        const char *host = host_of(request);
        bool is_ours = true; // HTTP/1.0, which no browser speaks
        if (host) {
                pthread_mutex_lock(&request->rack->lock);
                is_ours = http_is_our_host(request->rack->cluster, host);
                pthread_mutex_unlock(&request->rack->lock);
        }
        if (!is_ours)
                *ret = http_answer_text(request, MHD_HTTP_MISDIRECTED_REQUEST,
                                        "this is no name of this server: use its address, or the host of the "
                                        "cluster's http_base");
        return is_ours;
}

static bool check_site(const struct http_request *request, enum MHD_Result *ret) {
        const char *site = http_header(request, "Sec-Fetch-Site"), *origin = http_header(request, "Origin");
        const char *host = text_or(host_of(request), "");
        bool is_own = !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
        if (origin) {
                const char *name = strstr(origin, "://"); // https in front of a proxy, too
                is_own = is_own && name && strcmp(name + 3, host) == 0;
        }
        if (!is_own)
                *ret = http_answer_text(request, MHD_HTTP_FORBIDDEN, "not from another site");
        return is_own;
}

static bool check_type(const struct http_request *request, enum MHD_Result *ret) {
        static const char json[] = "application/json";
        const char *type = text_or(http_header(request, MHD_HTTP_HEADER_CONTENT_TYPE), "");
        bool is_json = is_name(type, strcspn(type, "; "), json);
        if (!is_json)
                *ret = http_answer_text(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Content-Type: application/json");
        return is_json;
}

// Sums are nobody's secret, and who collects them may know this machine by any name. A link that leads to the page may
// stand anywhere.
bool http_guard_get(const struct http_request *request, enum MHD_Result *ret) {
        assert(request && ret);
        if (strcmp(request->url, "/metrics") == 0)
                return true;
        if (strcmp(request->url, "/") == 0)
                return check_host(request, ret);
        return check_host(request, ret) && check_site(request, ret);
}

bool http_guard_post(const struct http_request *request, bool is_json, enum MHD_Result *ret) {
        assert(request && ret);
        return check_host(request, ret) && check_site(request, ret) && (!is_json || check_type(request, ret));
}
