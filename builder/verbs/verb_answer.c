// SPDX-License-Identifier: MIT
#include "verbs/verb_answer.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/version.h"

static json_t *given; // what answer_give() printed

bool answer_give(json_t *answer, struct err *err) {
        json_t *whole = json_pack("{si}", "format", ANSWER_FORMAT);
        bool is_made = answer && whole && json_object_update(whole, answer) == 0;
        json_decref(answer);
        auto_free char *text = NULL;
        if (is_made)
                text = json_dumps(whole, JSON_COMPACT);
        if (!text) {
                json_decref(whole);
                return fail(err, ERR_INTERNAL, 0, "the answer is no JSON");
        }
        puts(text);
        json_decref(given);
        given = whole;
        return true;
}

void answer_tell_start(const struct verb *verb) {
        progress_event("start",
                       json_pack("{si ss ss}", "format", ANSWER_FORMAT, "verb", verb->name, "version", KILN_VERSION));
}

void answer_tell_result(const struct verb *verb, int status, int64_t elapsed_ms) {
        json_t *members = json_pack("{ss sb si sI}", "verb", verb->name, "ok", status == 0, "exit", status,
                                    "elapsed_ms", (json_int_t)elapsed_ms);
        if (members && given)
                (void)!json_object_set(members, "answer", given);
        progress_event("result", members);
        json_decref(given);
        given = NULL;
}
