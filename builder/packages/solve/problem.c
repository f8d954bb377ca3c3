// SPDX-License-Identifier: MIT
#include "packages/solve/problem.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/metadata/source.h"
#include "packages/solve/exclude_reason.h"
#include "packages/solve/file_dependencies.h"

// libsolv's headers need pool.h first
#include <solv/problems.h>
#include <solv/rules.h>
#include <solv/solver.h>

enum { SENTENCES_MAX = 40, ALTERNATIVES_MAX = 3, ROUNDS_MAX = 50 };

// A broken rule: what it is about, as solver_ruleinfo() tells.
struct rule {
        SolverRuleinfo type;
        Id source, target, dependency;
};

struct explanation {
        struct packages *packages;
        Solver *solver;
        struct buf text;
        int count;
        bool missing, clash; // which hint fits
        Queue lacking;       // dependencies that nothing provides, of this round
};

// ---- alternatives to what is missing ----

static bool provides_name(Pool *pool, Solvable *solvable, Id name) {
        Queue provides;
        queue_init(&provides);
        bool any = solvable->name == name;
        solvable_lookup_deparray(solvable, SOLVABLE_PROVIDES, &provides, 0);
        for (int i = 0; !any && i < provides.count; i++) {
                Id provided = provides.elements[i];
                if (ISRELDEP(provided))
                        provided = GETRELDEP(pool, provided)->name;
                any = provided == name;
        }
        queue_free(&provides);
        return any;
}

static void add_alternative(struct explanation *explanation, Id id, struct buf *text) {
        auto_free char *reason = exclude_reason(explanation->packages, id);
        auto_free char *name = package_full_name(explanation->packages, id);
        if (reason)
                buf_printf(text, "; %s", reason);
        else
                buf_printf(text, "; there is %s", name);
}

// Packages of that name in another version or for another architecture.
static void add_alternatives(struct explanation *explanation, Id dependency, struct buf *text) {
        Pool *pool = explanation->packages->pool;
        while (ISRELDEP(dependency))
                dependency = GETRELDEP(pool, dependency)->name;
        int found = 0;
        for (Id id = 2; id < pool->nsolvables; id++) {
                Solvable *solvable = pool_id2solvable(pool, id);
                if (!pool_source(solvable) || !provides_name(pool, solvable, dependency))
                        continue;
                if (++found <= ALTERNATIVES_MAX)
                        add_alternative(explanation, id, text);
        }
        if (found > ALTERNATIVES_MAX)
                buf_printf(text, "; and %d more", found - ALTERNATIVES_MAX);
}

// ---- sentences ----

static void explain_nothing(struct explanation *explanation, const struct rule *rule, struct buf *text) {
        Pool *pool = explanation->packages->pool;
        const char *what = pool_dep2str(pool, rule->dependency);
        auto_free char *who = package_full_name(explanation->packages, rule->source);
        auto_free char *doubt = file_lists_doubt(explanation->packages, what);
        buf_printf(text, "nothing provides `%s`, which %s requires", what, who);
        if (doubt)
                buf_append_text(text, doubt);
        add_alternatives(explanation, rule->dependency, text);
        explanation->missing = true;
        queue_pushunique(&explanation->lacking, rule->dependency);
}

static void explain_requires(struct explanation *explanation, const struct rule *rule, struct buf *text) {
        auto_free char *who = package_full_name(explanation->packages, rule->source);
        buf_printf(text, "%s requires `%s`, and nothing that provides it can be installed", who,
                   pool_dep2str(explanation->packages->pool, rule->dependency));
}

static void explain_pair(struct explanation *explanation, const struct rule *rule, struct buf *text) {
        auto_free char *a = package_full_name(explanation->packages, rule->source);
        auto_free char *b = package_full_name(explanation->packages, rule->target);
        const char *what = "";
        if (rule->dependency)
                what = pool_dep2str(explanation->packages->pool, rule->dependency);
        explanation->clash = true;
        if (rule->type == SOLVER_RULE_PKG_CONFLICTS)
                buf_printf(text, "%s conflicts with `%s`, which %s provides", a, what, b);
        else if (rule->type == SOLVER_RULE_PKG_SAME_NAME)
                buf_printf(text, "%s and %s cannot both be installed: they are one package in two versions", a, b);
        else
                buf_printf(text, "%s replaces (obsoletes) `%s`, and with it %s", a, what, b);
}

static void explain_not_installable(struct explanation *explanation, const struct rule *rule, struct buf *text) {
        auto_free char *reason = exclude_reason(explanation->packages, rule->source);
        if (reason)
                buf_append_text(text, reason);
}

static const struct {
        SolverRuleinfo type;
        void (*explain)(struct explanation *explanation, const struct rule *rule, struct buf *text);
} sentences[] = {
        { SOLVER_RULE_PKG_REQUIRES, explain_requires },
        { SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP, explain_nothing },
        { SOLVER_RULE_PKG_CONFLICTS, explain_pair },
        { SOLVER_RULE_PKG_SAME_NAME, explain_pair },
        { SOLVER_RULE_PKG_OBSOLETES, explain_pair },
        { SOLVER_RULE_PKG_IMPLICIT_OBSOLETES, explain_pair },
        { SOLVER_RULE_PKG_NOT_INSTALLABLE, explain_not_installable },
};

// A rule of another type is told in libsolv's words.
static void explain_rule(struct explanation *explanation, const struct rule *rule) {
        auto_buf sentence = { 0 };
        for (size_t i = 0; i < lengthof(sentences); i++)
                if (sentences[i].type == rule->type)
                        sentences[i].explain(explanation, rule, &sentence);
        if (sentence.size == 0)
                buf_append_text(&sentence, solver_problemruleinfo2str(explanation->solver, rule->type, rule->source,
                                                                      rule->target, rule->dependency));
        if (explanation->text.size && strstr(explanation->text.data, sentence.data))
                return;
        if (++explanation->count <= SENTENCES_MAX)
                buf_printf(&explanation->text, "\n  %s", sentence.data);
}

// The order of sentences: who requires what, then why there is none. "conflicting requests" is all that libsolv says of
// most requests: the other sentences show which.
enum sentence_order { FIRST_REQUIREMENTS, THEN_REASONS, ELSE_REQUESTS };

static enum sentence_order order_of(SolverRuleinfo type) {
        if (type == SOLVER_RULE_PKG_REQUIRES)
                return FIRST_REQUIREMENTS;
        if (type == SOLVER_RULE_JOB)
                return ELSE_REQUESTS;
        return THEN_REASONS;
}

static void explain_rules(struct explanation *explanation, const Queue *rules, enum sentence_order order) {
        for (int i = 0; i < rules->count; i++) {
                struct rule rule = { 0 };
                rule.type = solver_ruleinfo(explanation->solver, rules->elements[i], &rule.source, &rule.target,
                                            &rule.dependency);
                if (order_of(rule.type) == order)
                        explain_rule(explanation, &rule);
        }
}

static void explain_problem(struct explanation *explanation, Id problem) {
        Queue rules;
        queue_init(&rules);
        solver_findallproblemrules(explanation->solver, problem, &rules);
        explain_rules(explanation, &rules, FIRST_REQUIREMENTS);
        explain_rules(explanation, &rules, THEN_REASONS);
        if (explanation->text.size == 0)
                explain_rules(explanation, &rules, ELSE_REQUESTS);
        queue_free(&rules);
}

static void explain_problems(struct explanation *explanation, Solver *solver) {
        int problems = (int)solver_problem_count(solver);
        explanation->solver = solver;
        queue_empty(&explanation->lacking);
        for (Id problem = 1; problem <= problems; problem++)
                explain_problem(explanation, problem);
}

// libsolv takes whatever its system solvable provides as installed.
static void provide_lacking(struct explanation *explanation) {
        Pool *pool = explanation->packages->pool;
        Queue provider;
        queue_init(&provider);
        queue_push(&provider, SYSTEMSOLVABLE);
        for (int i = 0; i < explanation->lacking.count; i++)
                pool_set_whatprovides(pool, explanation->lacking.elements[i],
                                      pool_queuetowhatprovides(pool, &provider));
        queue_free(&provider);
}

static void copy_flags(Solver *from, Solver *to) {
        for (int flag = SOLVER_FLAG_ALLOW_DOWNGRADE; flag <= SOLVER_FLAG_STRICT_REPO_PRIORITY; flag++)
                solver_set_flag(to, flag, solver_get_flag(from, flag));
}

static void explain_all(struct explanation *explanation, Solver *solver, Queue *jobs) {
        explain_problems(explanation, solver);
        for (int round = 1; round < ROUNDS_MAX && explanation->lacking.count > 0; round++) {
                Solver *again = solver_create(explanation->packages->pool);
                provide_lacking(explanation);
                copy_flags(solver, again);
                queue_empty(&explanation->lacking);
                if (solver_solve(again, jobs) != 0)
                        explain_problems(explanation, again);
                solver_free(again);
        }
        explanation->packages->prepared = false;
}

bool problem_explain(struct packages *packages, Solver *solver, Queue *jobs, struct err *err) {
        assert(solver_problem_count(solver) > 0);
        struct explanation explanation = { .packages = packages };
        queue_init(&explanation.lacking);
        explain_all(&explanation, solver, jobs);
        queue_free(&explanation.lacking);
        if (explanation.count > SENTENCES_MAX)
                buf_printf(&explanation.text, "\n  and %d more", explanation.count - SENTENCES_MAX);
        fail(err, ERR_SOLVE, 0, "the packages cannot be installed together:%s", buf_text(&explanation.text));
        buf_release(&explanation.text);
        if (explanation.missing)
                return hint(
                    err, "add the repository that has what is missing to the release, or do without what requires it");
        if (explanation.clash)
                hint(err, "ask for one or the other, or leave one out with `excludes`");
        return false;
}
