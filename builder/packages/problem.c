#include <string.h>

#include "base/mem.h"
#include "packages/internal.h"

// libsolv's headers need pool.h first
#include <solv/problems.h>
#include <solv/rules.h>
#include <solv/solver.h>

enum { SENTENCES_MAX = 12 };

static bool said(const struct buf *text, const char *sentence) {
        return text->size > 0 && strstr(text->data, sentence) != NULL;
}

// Why a package that exists may not be installed; NULL if nobody left it out.
static char *explain_exclusion(const struct packages *packages, Id id) {
        if (id <= 0 || id >= packages->pool->nsolvables)
                return NULL;
        const char *name = pool_solvid2str(packages->pool, id);
        if (!MAPTST(&packages->considered, id))
                return xasprintf("the release's `excludes` or `includes` leave out %s", name);
        if (packages->limit != LIMIT_NONE && !MAPTST(&packages->limited, id))
                return xasprintf("the lock does not have %s", name);
        return NULL;
}

static void explain_rule(struct packages *packages, Solver *solver, Id rule, bool only_requests, struct buf *text,
                         int *count) {
        Id source;
        Id target;
        Id dependency;
        SolverRuleinfo type = solver_ruleinfo(solver, rule, &source, &target, &dependency);
        auto_free char *sentence = type == SOLVER_RULE_PKG_NOT_INSTALLABLE ? explain_exclusion(packages, source) : NULL;
        if (!sentence)
                sentence = xstrdup(solver_problemruleinfo2str(solver, type, source, target, dependency));
        // "conflicting requests" is all that libsolv says of most requests; the other sentences show which.
        bool hollow = type == SOLVER_RULE_JOB;
        if (hollow != only_requests || said(text, sentence))
                return;
        if (++*count <= SENTENCES_MAX)
                buf_printf(text, "\n  %s", sentence);
}

bool problem_explain(struct packages *packages, Solver *solver, struct err *err) {
        auto_buf text = { 0 };
        int problems = (int)solver_problem_count(solver);
        for (Id problem = 1; problem <= problems; problem++) {
                Queue rules;
                int count = 0;
                queue_init(&rules);
                solver_findallproblemrules(solver, problem, &rules);
                for (int i = 0; i < rules.count; i++)
                        explain_rule(packages, solver, rules.elements[i], false, &text, &count);
                for (int i = 0; i < rules.count && text.size == 0; i++)
                        explain_rule(packages, solver, rules.elements[i], true, &text, &count);
                if (count > SENTENCES_MAX)
                        buf_printf(&text, "\n  and %d more", count - SENTENCES_MAX);
                queue_free(&rules);
        }
        return fail(err, ERR_SOLVE, 0, "the packages cannot be installed together:%s", buf_text(&text));
}
