// SPDX-License-Identifier: MIT
// Publishing: a build grows in a hidden directory beside its place and gets there by one rename.
//
//     <out>/<cluster>/<build id>/            whole builds
//     <out>/<cluster>/current                a link to one of them: what machines boot
//     <out>/<cluster>/blobs/sha256/<digest>  links to what the builds hold (build/digest_links.h)
//     <out>/<cluster>/partial/<build id>/    builds without some roles or kinds of artefacts, which `current` never
//     names:
//                                            machines of the other roles, or without their boot loader, would not boot
//
// Two locks. Who makes or loads a build holds a flock(2) on its place for minutes or hours: that place is full of what
// is not finished, and a second one is refused. Who changes what there is (`current`, the links by digest, a build that
// comes or goes, what lies beside it) takes a turn: a flock(2) on <out>, one for both places, that is short and waited
// for. So a build that is on its way hinders no `kiln publish`.
#ifndef KILN_BUILD_PUBLISH_H
#define KILN_BUILD_PUBLISH_H

#include "base/buf.h"
#include "base/err.h"

// Names below <out>/<cluster>/ that are nobody's once the lock is free: the next kiln removes them.
#define STAGING_PREFIX ".staging-"

#define PARTIAL_DIR "partial"

// <out>/<cluster>/ or <out>/<cluster>/partial/ while one kiln works on it.
struct publication {
        int dir;     // that directory; -1: it is not there, for who only looks
        int staging; // the hidden directory
        int turn;    // -1: it is taken for each change
        char *staging_name;
        char *current_before; // what `current` named when this was opened; NULL: nothing
        bool is_partial;
        bool only_looks;
};

#define PUBLICATION_CLOSED                                                                                             \
        { .dir = -1, .staging = -1, .turn = -1 }

// Refuses an output directory that another user owns, and an <out>, <out>/<cluster> or its PARTIAL_DIR that others may
// write to (base/own_dir.h). What is absent is fine. Before the build enters its user namespace, where owners and
// groups cannot be told apart any more.
must_check bool publication_check_owners(const char *out, const char *cluster, struct err *err);

// Creates and locks <out>/<cluster>, or with `is_partial` its PARTIAL_DIR, and removes what killed builds left there.
// ERR_LOCKED if another kiln makes or loads a build there.
must_check bool publication_open(const char *out, const char *cluster, bool is_partial, struct publication *ret,
                                 struct err *err);
// For who changes what there is, and stages nothing: waits for its turn, and has it until publication_close(), so that
// what was looked at stays true.
must_check bool publication_open_to_change(const char *out, const char *cluster, bool is_partial,
                                           struct publication *ret, struct err *err);
// Removes what killed builds left, for who has opened it to change it, and unless a build is on its way there.
must_check bool publication_remove_leftovers(const struct publication *publication, struct err *err);
// For who says what a build would do: makes, locks and removes nothing, and nothing need be there.
must_check bool publication_open_to_look(const char *out, const char *cluster, bool is_partial, struct publication *ret,
                                         struct err *err);
bool publication_has(const struct publication *publication, const char *build_id);
must_check bool publication_stage(struct publication *publication, const char *build_id, struct err *err);
// Moves the staged build to its place. One that is there already is exchanged for it, and removed by
// publication_close().
must_check bool publication_place(struct publication *publication, const char *build_id, struct err *err);
// The same, and if it is no partial one, points `current` at it.
must_check bool publication_finish(struct publication *publication, const char *build_id, struct err *err);
// For whole builds only. A `current` that has moved since this was opened was moved on purpose, by kiln publish: it
// stays, and a warning says so. REFERENCE if the build went away meanwhile.
must_check bool publication_set_current(struct publication *publication, const char *build_id, struct err *err);
// The same for a build of either kind that is there: of a part, the links by digest alone.
must_check bool publication_announce(struct publication *publication, const char *build_id, struct err *err);
// Notes what the staged build is, beside its place: <out>/<cluster>/.seal-<build id> (published_seal.h). Before
// publication_finish(), which writes both to the disk. `sums` is published_seal_make()'s; one that is empty is none.
must_check bool publication_seal(struct publication *publication, const char *build_id, const struct buf *sums,
                                 struct err *err);
// Whether a build that is there is as it was published. If not, a warning says what is not. At most `jobs` threads
// read.
must_check bool publication_is_whole(struct publication *publication, const char *build_id, unsigned jobs, bool *ret,
                                     struct err *err);
// The same, but every byte is read, and nothing is told: `*ret_difference` is heap, NULL for a build that is whole.
must_check bool publication_examine(const struct publication *publication, const char *build_id, unsigned jobs,
                                    char **ret_difference, struct err *err);
// Takes a build and what lies beside it away. Nobody sees half of it.
must_check bool publication_remove(struct publication *publication, const char *build_id, struct err *err);

// What is kept of a build beside it and not in it, and goes with it: what no second build would give again.
enum publication_note {
        PUBLICATION_ORIGIN, // .origin-<build id>, mode 0600: what `kiln verify` asks for
        PUBLICATION_NOTES,  // .notes-<build id>, mode 0600: how the build went
        PUBLICATION_RECIPE, // .recipe-<build id>, mode 0600: what decided its steps (build_recipe.h)
        PUBLICATION_REPORT, // report-<build id>.html, mode 0644: for people
};
// Its name in the publication's directory; heap.
char *publication_note_name(enum publication_note note, const char *build_id);
// Writes it, if it is not so already. Nobody sees half of it.
must_check bool publication_note(struct publication *publication, const char *build_id, enum publication_note note,
                                 const char *text, struct err *err);

// Removes a build that was staged and not finished, and lets go of both locks.
void publication_close(struct publication *publication);

#endif
