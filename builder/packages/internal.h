// What the modules of packages/ share. From the network up: transfer (bytes), source (one repository's
// metadata files), pool (metadata in libsolv), solve (requests to packages), verify and fetch (packages to files).
#ifndef KILN_PACKAGES_INTERNAL_H
#define KILN_PACKAGES_INTERNAL_H

#include <rpm/header.h>
#include <solv/pool.h>
#include <solv/queue.h>
#include <solv/repo.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/progress.h"
#include "packages/packages.h"

// ---- url.c ----

// BASE/LOCATION, or LOCATION itself if it is a URL. What no URL may hold is quoted, but for file://.
char *url_join(const char *base, const char *location);
// A URL as messages may show it: without user, password and query.
char *url_shown(const char *url);
// The file of a location below a file:// base URL; NULL: it is not on this machine.
char *url_local_file(const char *base, const char *location);
// The path of a file:// URL, percent-decoded; NULL for any other URL.
char *url_local_path(const char *url);
// A URL from what a user wrote: a path (made absolute) becomes file://.
char *url_from_user(const char *text);
// The URL that --repo NAME=URL gives for a repository; NULL: none.
const char *url_replacement(const struct packages_options *options, const char *repository);
// Whether metadata may name this location: relative without "..", or http(s).
bool url_location_is_safe(const char *location);

// ---- transfer.c: files by HTTP ----

struct transfer {
        const char *name;        // for messages: "repomd.xml of os"
        const char *const *urls; // tried in turn
        size_t url_count;
        const char *path;                     // where the complete and verified file goes, by rename
        const char *checksum_type, *checksum; // NULL: not known
        uint64_t size_bytes, max_bytes;       // 0: not known; no limit
        bool missing_ok, missing;             // 404 everywhere is no error, but sets `missing`
        size_t used;                          // set: index of the URL that it came from
        // Called on another thread when `path` is there, while other transfers go on. Its error ends them all. NULL:
        // none.
        bool (*arrived)(void *context, struct err *err);
        void *context;
};

// Up to six at once; resumes path + ".part", retries with growing pauses, goes on with the next URL. Errors: NETWORK
// (no URL works), CHECKSUM, CORRUPT (wrong length), DISK_FULL, INTERRUPTED. `progress` may be NULL. For one thread at a
// time.
must_check bool transfers_run(struct transfer *transfers, size_t count, struct progress *progress, struct err *err);
// Closes connections that transfers_run() keeps open for the next time.
void transfers_hang_up(void);

// ---- partial.c: a file that is not yet whole ----

struct partial {
        const struct transfer *transfer;
        char *path; // shared with other kilns through a lock: whoever comes second uses a name of its own
        int fd;
        uint64_t size, hashed; // bytes in the file; of these, in the digest
        struct digest *digest; // NULL: not begun
        bool published;
};

// Opens what an earlier kiln left, or a new one.
must_check bool partial_open(struct partial *partial, const struct transfer *transfer, struct err *err);
must_check bool partial_restart(struct partial *partial, struct err *err); // empty again
must_check bool partial_append(struct partial *partial, const char *data, size_t size, struct err *err);
must_check bool partial_digest(struct partial *partial, char ret_hex[static DIGEST_HEX_SIZE], struct err *err);
must_check bool partial_check(struct partial *partial, struct err *err); // CHECKSUM; CORRUPT: too short
must_check bool partial_publish(struct partial *partial, struct err *err);
// Removes from a directory what killed kilns left and no later one can use.
void partial_sweep(const char *path);
void partial_forget(struct partial *partial); // nothing of it is worth keeping
void partial_close(struct partial *partial);  // removes what no later run could go on with

// ---- sink.c: threads that write, hash and check what one thread receives ----

struct sinks;
struct sink;
typedef bool sink_settle(void *owner, struct err *err);

// `wake` is called from a thread whenever sinks_settled() has something.
struct sinks *sinks_new(void (*wake)(void *context), void *context);
void sinks_stop(struct sinks *sinks); // lets go of all sinks, whatever is left to do
void sinks_free(struct sinks *sinks);

struct sink *sink_new(struct sinks *sinks, struct partial *partial, void *owner);
void sink_free(struct sink *sink); // of a stopped or settled one
// Copies the bytes; waits if the threads are far behind. False: an earlier write failed, and sink_end() will tell why.
must_check bool sink_append(struct sink *sink, const char *data, size_t size);
// No more bytes for now. When all are written, `settle` (may be NULL) is called on a thread, unless a write failed.
void sink_end(struct sink *sink, sink_settle *settle);
// The owner of a sink that has come to its end, and the error that it met, if any; NULL: there is none at the moment.
void *sinks_settled(struct sinks *sinks, struct err *ret_error);

// ---- keys.c: OpenPGP ----

struct keyring;
// The keys of a repository. A key URL below the base URL of a replaced repository of the release (NULL: none) is looked
// for below the replacement first.
must_check bool keyring_load(const struct repository *repository, const struct release *release,
                             const struct packages_options *options, struct keyring **ret, struct err *err);
void keyring_free(struct keyring *keyring);
// Hash over fingerprints: changes when the trusted keys change, or one of them is revoked or expires.
const char *keyring_identity(const struct keyring *keyring);

// The file that a key of a release is, or is cached in; heap. It may be absent.
char *key_file(const struct packages_options *options, const char *key);
// Its name in an export: the last part of its path or URL, without what a URL takes for a query ("lookup?search=...").
// Heap.
char *key_export_name(const char *key);

// Names the cached keys of a repository, as packages_note_cache().
void keys_note(const struct repository *repository, const struct release *release,
               const struct packages_options *options, packages_note *note, void *context);

// One part of what a signature covers.
struct span {
        int fd;
        uint64_t offset, size_bytes;
};
// Checks a binary OpenPGP signature over parts of a file. `subject` begins the messages. ERR_SIGNATURE.
must_check bool keyring_verify(const struct keyring *keyring, const char *subject, const void *signature,
                               size_t signature_size, struct span covered, struct err *err);
// The same for an ASCII-armored or binary detached signature (repomd.xml.asc).
must_check bool keyring_verify_detached(const struct keyring *keyring, const char *subject, const struct buf *signature,
                                        int fd, struct err *err);

// ---- certificate.c: what librpm does not tell about a key ----

struct key_facts {
        int64_t created, expires; // seconds since 1970; expires 0: never
        char id[17];              // lower-case hex of the last eight bytes of the fingerprint
        unsigned bits;            // of an RSA or DSA key; 0: of another kind
        bool revoked;
};
// The primary key first, then its subkeys (RFC 4880). Returns how many, at most `max`.
size_t certificate_read(const unsigned char *packets, size_t size, struct key_facts *ret, size_t max);

// The bytes of an ASCII-armored block (RFC 4880, section 6.2) that begins with the line `begin`.
bool armor_decode(const char *text, const char *begin, struct buf *ret);

// ---- source.c: one repository ----

struct metadata_file {
        const char *location, *checksum_type, *checksum; // location NULL: the repository has none
        uint64_t size_bytes;
};

struct source {
        const struct repository *repository;
        const struct release *release;
        const struct packages_options *options;
        struct arena *arena;
        struct strings urls; // base URLs, replacement and mirror list applied
        const char *dir;     // <cache>/repos/<hash of the first URL>
        struct metadata_file primary, filelists, group;
        struct buf repomd, signature; // as they were verified; the latter empty unless it was demanded
        int64_t published;            // when the metadata was made, as repomd.xml says; 0: it does not
        struct keyring *keyring;
        int writer; // process that writes a .solv file, or 0
};

must_check bool source_open(struct source *source, const struct repository *repository, const struct release *release,
                            const struct packages_options *options, struct arena *arena, struct err *err);
void source_close(struct source *source);
// The keyring of the repository, loaded on first use.
must_check bool source_keys(struct source *source, const struct keyring **ret, struct err *err);
// Fetches a small file without a known checksum. `urls` are tried in turn; `ret` says which had it.
must_check bool source_fetch_small(const struct source *source, const struct strings *urls, const char *file,
                                   const char *path, bool missing_ok, struct transfer *ret, struct err *err);
// The first base URL on this machine that holds the file; NULL if none does.
char *source_find_local(const struct source *source, const char *location, bool *ret_any_local);
// The URLs of a location in the network; heap, with elements on the arena.
struct strings source_remote_urls(const struct source *source, const char *location);
bool source_unreachable(const struct source *source, struct err *err); // puts name and remedy to an error

// ---- announce.c ----
// Reads repomd.xml, with its signature where that is demanded, from the first mirror whose is good.
must_check bool source_announcement(struct source *source, struct err *err);

// ---- metadata.c ----
// A verified metadata file as a file in memory, at whatever offset.
must_check bool source_metadata(struct source *source, const char *what, const struct metadata_file *file, int *ret_fd,
                                struct err *err);
// Puts it into the cache.
must_check bool source_keep(struct source *source, const char *what, const struct metadata_file *file, struct err *err);
must_check bool memory_file(const void *data, size_t size, int *ret_fd, struct err *err);

// ---- repomd.c ----
must_check bool repomd_parse(struct source *source, const char *bytes, size_t size, struct err *err);

// ---- pool.c: metadata in libsolv ----

struct packages {
        struct arena arena;
        const struct release *release;
        struct packages_options options;
        struct source *sources; // one per repository; Repo.appdata points to its own
        size_t source_count;
        Pool *pool;
        Map considered; // what the release's and repositories' excludes and includes leave
        Map limited;    // what packages_limit() leaves of that
        enum limit limit;
        Map held;        // LIMIT_NAMES: names (Ids) that are held to certain packages
        size_t released; // names that were let go
        struct revived { // packages that only the cache has
                Id id;
                const struct package *package;
        } * revived;
        size_t revived_count;
        struct groups *groups; // loaded by the first "@..." request
        bool filelists_loaded, filelists_refused;
        Id paths;           // pseudo package that "requires" paths which libsolv must look up
        Queue wanted_paths; // paths of requests
        Queue unresolved;   // file dependencies that only filelists could answer
        bool prepared;
};

must_check bool pool_open(struct packages *packages, struct err *err);
// Adds the file lists of all repositories.
must_check bool pool_load_filelists(struct packages *packages, struct err *err);
void pool_close(struct packages *packages);
struct source *pool_source(const Solvable *solvable); // NULL for kiln's pseudo packages

// ---- stream.c: decompression beside parsing ----

struct stream;
// CORRUPT: the compression, which the end of `name` tells, is not known. The descriptor stays the caller's.
must_check bool stream_open(int fd, const char *name, bool without_prose, struct stream **ret, struct err *err);
FILE *stream_file(const struct stream *stream);
bool stream_close(struct stream *stream); // false: the compressed file is damaged

// ---- prose.c: primary.xml without what no solver reads ----
enum { PROSE_WINDOW = 256 << 10 };
struct prose { // zeroed to begin with
        bool begun, after_dropped;
        bool given_up; // everything passes
};
// Works on a part of the text in place: returns how many bytes are left of the first `ret_used`; the others must be
// brought again in front of what follows. `more`: something follows.
size_t prose_remove(struct prose *prose, char *bytes, size_t size, bool more, size_t *ret_used);

// ---- cache.c: .solv files ----

// Reads a cached repository or extension; false if it is absent, stale or damaged. `flags` as for repo_add_solv().
bool solv_cache_read(Repo *repo, const char *path, const char *cookie, int flags);
// Writes repodata areas from `first_area` on (0: whole repository). Failure costs only time: it warns and goes on.
// A process of its own does it, from its copy of the pool, while this one goes on to solve; `writer` is its id, 0
// before.
void solv_cache_write(Repo *repo, const char *path, const char *cookie, int first_area, int *writer);
void solv_cache_wait(int *writer);

// ---- paths.c: file dependencies ----

// Adds file provides, makes the index of providers, lets /bin/x and /usr/bin/x answer for each other, and notes in
// packages->unresolved what primary.xml cannot answer; those count as satisfied unless `strict`.
void paths_prepare(struct packages *packages, bool strict);
bool path_is_in_primary(const char *path);
char *path_other_side_of_usrmove(const char *path); // heap; NULL if it has none

// ---- groups.c: comps ----
// Groups are kept in a pool of their own: they are no packages, and most builds need few or none.
struct groups {
        Pool *pool;
};
must_check bool groups_load(struct packages *packages, struct err *err);
void groups_free(struct groups *groups);
// Calls `add` for each mandatory, default and conditional ("requires" not NULL) package of a group or environment,
// named by id or name. False with ERR_PACKAGE if there is none.
typedef void comps_member(void *context, const char *package, const char *requires);
must_check bool groups_members(const struct groups *groups, const char *name, comps_member *add, void *context,
                               struct err *err);

// ---- forms.c: names of packages ----

// NAME-[EPOCH:]VERSION-RELEASE.ARCH, NAME.ARCH, NAME, NAME-[EPOCH:]VERSION-RELEASE, NAME-[EPOCH:]VERSION, and globs
// over the whole; each part may be a glob.
enum form { FORM_NONE, FORM_NEVRA, FORM_NAME_ARCH, FORM_NAME, FORM_NEVR, FORM_NEV, FORM_WHOLE };
// Every package that a text names by the first of these forms that fits any, in dnf's order. `installable`: only those
// that may be installed, not what is excluded or for another architecture.
enum form forms_find(const struct packages *packages, const char *text, bool installable, Queue *ret);
bool text_is_glob(const char *text);

// ---- comps.c ----
// All groups as one comps.xml. False: there is none, or they are too large for the buffer.
bool groups_format(const struct groups *groups, struct buf *ret);

// ---- request.c: requests to jobs ----
must_check bool request_jobs(struct packages *packages, const char *const *requests, size_t count, Queue *jobs,
                             struct err *err);
// The packages that a request names, or else (FORM_NONE) those that provide it.
enum form request_match(const struct packages *packages, const char *request, bool installable, Queue *ret);

// ---- keep.c ----
// Copies a file to another place, where it appears whole.
must_check bool file_copy(const char *from, const char *to, struct err *err);
must_check bool file_write(int from, const char *to, struct err *err); // from the descriptor's offset on

// ---- pins.c: packages that a lock names ----
struct s_Solver;
// Lets go of the held names that stand in the way of an answer, or of packages that a request names. False: none does.
bool limit_release_for_problems(struct packages *packages, struct s_Solver *solver);
bool limit_release_for_request(struct packages *packages, const char *request);
// A package that came from the cache, not from metadata; NULL for any other.
const struct package *revived_find(const struct packages *packages, Id id);
void pins_release(struct packages *packages);

// ---- solve.c ----
// What metadata says of a package.
must_check bool package_describe(struct packages *packages, Id id, struct package *ret, struct err *err);

// ---- obstacle.c ----
// Why a package may not be installed: excluded (by what), not in the lock, for another architecture. Heap; NULL: it
// may.
char *obstacle_explain(const struct packages *packages, Id id);
// "NEVRA of REPOSITORY", heap.
char *obstacle_full_name(const struct packages *packages, Id id);

// ---- problem.c ----
// Why it is not sure that no package has a file, to be appended to a sentence; heap, NULL if it is sure.
char *paths_doubt(const struct packages *packages, const char *path);
bool problem_explain(struct packages *packages, struct s_Solver *solver, struct err *err); // fails with ERR_SOLVE

// ---- suggestions.c ----
// Up to three of the candidates that look most like `wanted`, as "a, b or c"; heap, NULL if none does.
struct suggestions;
struct suggestions *suggestions_new(const char *wanted);
void suggestions_consider(struct suggestions *nearest, const char *candidate);
char *suggestions_finish(struct suggestions *nearest); // and free it

// ---- verify.c ----
// Size and digest of a package's file against its metadata. `path` is for messages.
must_check bool package_check_size(const struct package *package, uint64_t size, const char *path, struct err *err);
must_check bool package_check_digest(const struct package *package, const char *hex, const char *path, struct err *err);
// A package file against its metadata and, for TRUST_SIGNATURE, the repository's keys (NULL: DIGEST). `digest_known`:
// the caller has just computed the checksum of these bytes. Errors: CHECKSUM, CORRUPT, SIGNATURE.
must_check bool package_verify(const struct package *package, const char *path, const struct keyring *keyring,
                               bool digest_known, struct err *err);

// ---- rpmfile.c ----
struct rpm_file {
        int fd;
        Header signature, header;
        uint64_t header_offset, payload_offset, size_bytes;
};
must_check bool rpm_file_open(const char *path, struct rpm_file *ret, struct err *err);
void rpm_file_close(struct rpm_file *file);

// ---- verified.c: what was verified before ----
struct verified;
struct verified *verified_load(const char *cache);
// Whether this very file was verified under this policy (a hash of checksum, NEVRA and keys).
bool verified_has(const struct verified *verified, const char *policy, const char *path);
void verified_add(struct verified *verified, const char *policy, const char *path);
void verified_save_and_free(struct verified *verified);

#endif
