// SPDX-License-Identifier: MIT
// GET /report.html: the page about the build that machines get, which kiln build wrote beside it.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "report/build_report.h"
#include "serve/http_request.h"

// The page allows its own style alone; from here it may not be shown within another page either.
#define REPORT_POLICY                                                                                                  \
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// The open page of a build, or -1. Only a file of its own is one: nobody is shown another by a link.
static int open_report(const struct rack *rack, const char *id) {
        auto_free char *name = report_name(id);
        return openat(rack->builds.dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

enum MHD_Result http_answer_report(struct http_request *request) {
        struct rack *rack = request->rack;
        struct stat stat;
        pthread_mutex_lock(&rack->lock);
        auto_close int fd = open_report(rack, rack->wanted->id);
        pthread_mutex_unlock(&rack->lock);
        bool is_page = fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
        if (!is_page)
                return http_answer_text(request, MHD_HTTP_NOT_FOUND,
                                        "this build has no report: kiln builds --report BUILD writes one");
        struct MHD_Response *response = MHD_create_response_from_fd((uint64_t)stat.st_size, fd);
        if (!response)
                return MHD_NO;
        (void)take_fd(fd); // the response's
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
        MHD_add_response_header(response, "Content-Security-Policy", REPORT_POLICY);
        return http_answer(request, MHD_HTTP_OK, response);
}
