// SPDX-License-Identifier: MIT
// What people and registries write: names of things in registries, WWW-Authenticate headers, docker's configuration,
// manifests of builds. Most of it may be hostile.
#include "registry/registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "registry/challenge.h"
#include "registry/credentials.h"
#include "release/build_artifact.h"
#include "tests/unit/test.h"

enum { FUZZED = 200000 };

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static unsigned random_below(unsigned bound) {
        static uint64_t state = 16;
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (unsigned)(state >> 33) % bound;
}

// ---- references ----

static bool is_taken(const char *text) {
        struct oci_reference reference;
        auto_err error = { 0 };
        if (!oci_reference_parse(text, &reference, &error)) {
                EXPECT(error.kind == ERR_USAGE && error.hint);
                return false;
        }
        oci_reference_release(&reference);
        return true;
}

static void reference_has_its_parts(void) {
        struct oci_reference all, some;
        EXPECT_OK(oci_reference_parse("oci://reg.example:5000/team/my_app--x/a.b__c:v1.0@sha256:" HEX64, &all, err));
        EXPECT_TEXT(all.authority, "reg.example:5000");
        EXPECT_TEXT(all.repository, "team/my_app--x/a.b__c");
        EXPECT_TEXT(all.tag, "v1.0");
        EXPECT_TEXT(all.sha256, HEX64);
        oci_reference_release(&all);
        EXPECT_OK(oci_reference_parse("oci://[::1]:5000/a", &some, err));
        EXPECT_TEXT(some.authority, "[::1]:5000");
        EXPECT(!some.tag && !*some.sha256);
        oci_reference_release(&some);
}

static void grammar_is_the_specifications(void) {
        static const char *const good[] = {
                "oci://h/a",
                "oci://h/a/b/c",
                "oci://h.example/a-b",
                "oci://10.0.0.1:5000/a:latest",
                "oci://h/a---b",
                "oci://h/a:_x",
                ("oci://h/a@sha256:" HEX64),
                "oci://localhost:65535/a:A.b-C_d",
                "oci://h/0/1/2:0.0",
                "oci://[fe80::1]/x:y",
        };
        static const char *const bad[] = {
                "",
                "h/a",
                "docker://h/a",
                "oci://",
                "oci://h",
                "oci://h/",
                "oci:///a",
                "oci://h/A",
                "oci://h/a//b",
                "oci://h/a/",
                "oci://h//a",
                "oci://h/-a",
                "oci://h/a-",
                "oci://h/a..b",
                "oci://h/a___b",
                "oci://h/a._b",
                "oci://h/../etc",
                "oci://h/a/../b",
                "oci://h/a:",
                "oci://h/a:.x",
                "oci://h/a:-x",
                "oci://h/a:b:c",
                "oci://h/a:b/c",
                "oci://h/a@",
                "oci://h/a@sha256:abc",
                ("oci://h/a@sha512:" HEX64),
                ("oci://h/a@sha256:" HEX64 "0"),
                ("oci://h/a@sha256:" HEX64 ":tag"),
                "oci://h:0/a",
                "oci://h:65536/a",
                "oci://h:/a",
                "oci://h:5x/a",
                "oci://user@h/a",
                "oci://user:password@h/a",
                "oci://-h/a",
                "oci://h..x/a",
                "oci://h_x/a",
                "oci://[::1/a",
                "oci://[zz]/a",
                "oci://[::1]5000/a",
                "oci://h/a?x=y",
                "oci://h/a#b",
                "oci://h/a b",
                "oci://h/a%2e",
                "oci://h\n/a",
                "oci://h/a\n",
        };
        for (size_t i = 0; i < lengthof(good); i++)
                if (!is_taken(good[i])) {
                        printf("# refused: %s\n", good[i]);
                        EXPECT(false);
                }
        for (size_t i = 0; i < lengthof(bad); i++)
                if (is_taken(bad[i])) {
                        printf("# taken: %s\n", bad[i]);
                        EXPECT(false);
                }
}

static void lengths_are_limited(void) {
        char tag[OCI_TAG_MAX + 2], name[OCI_REPOSITORY_MAX + 2];
        memset(tag, 'a', sizeof tag);
        memset(name, 'a', sizeof name);
        tag[OCI_TAG_MAX] = name[OCI_REPOSITORY_MAX] = '\0';
        EXPECT(oci_is_tag(tag) && oci_is_repository(name));
        tag[OCI_TAG_MAX] = name[OCI_REPOSITORY_MAX] = 'a';
        tag[OCI_TAG_MAX + 1] = name[OCI_REPOSITORY_MAX + 1] = '\0';
        EXPECT(!oci_is_tag(tag) && !oci_is_repository(name));
}

static void this_machine_is_known(void) {
        EXPECT(oci_is_loopback("localhost:5000") && oci_is_loopback("127.0.0.1") && oci_is_loopback("127.9.9.9:1") &&
               oci_is_loopback("[::1]:5000"));
        EXPECT(!oci_is_loopback("10.0.0.1:5000") && !oci_is_loopback("localhost.example") &&
               !oci_is_loopback("127.0.0.1.example") && !oci_is_loopback("[::2]:5000") && !oci_is_loopback("12.0.0.1"));
}

// ---- WWW-Authenticate ----

static void bearer_has_its_parameters(void) {
        struct challenge found;
        challenge_parse(
            "Bearer realm=\"https://auth.example/token\",service=\"reg\", scope=\"repository:a/b:pull,push\"", &found);
        EXPECT(found.kind == CHALLENGE_BEARER);
        EXPECT_TEXT(found.realm, "https://auth.example/token");
        EXPECT_TEXT(found.service, "reg");
        EXPECT_TEXT(found.scope, "repository:a/b:pull,push");
}

static void bearer_goes_before_basic(void) {
        static const char *const both[] = {
                "Basic realm=\"x\", Bearer realm=\"https://t/\",service=s",
                "Bearer realm=\"https://t/\", service=s, Basic realm=\"x\"",
                "Negotiate, bearer REALM = \"https://t/\" , Service=s",
                "Digest qop=\"auth,Basic\", BEARER realm=\"https:\\/\\/t/\",service=\"s\"",
        };
        for (size_t i = 0; i < lengthof(both); i++) {
                struct challenge found;
                challenge_parse(both[i], &found);
                EXPECT(found.kind == CHALLENGE_BEARER);
                EXPECT_TEXT(found.realm, "https://t/");
                EXPECT_TEXT(found.service, "s");
        }
}

static void what_is_no_challenge_is_none(void) {
        static const char *const none[] = { "",        ",",       "Bearer",       "Bearer realm=", "Bearer realm=\"\"",
                                            "=\"x\"",  "\"\"",    "Bearer \"x\"", "Bearer x",      "Negotiate abc==",
                                            "Bear er", "\x80\xff" };
        for (size_t i = 0; i < lengthof(none); i++) {
                struct challenge found;
                challenge_parse(none[i], &found);
                EXPECT(found.kind == CHALLENGE_NONE && !*found.realm);
        }
}

// Whatever comes: it ends, and nothing is read behind the text (under AddressSanitizer that shows).
static void hostile_headers_are_borne(void) {
        static const char *const words[] = { "Bearer ", "Basic ", "realm",    "=",  "\"",         "\\",
                                             ",",       " ",      "scope=",   "\t", "https://x/", "service=\"",
                                             "a",       "\x01",   "\xc3\xa9", "==" };
        for (unsigned i = 0; i < FUZZED; i++) {
                auto_buf text = { 0 };
                struct challenge found;
                for (unsigned left = random_below(12); left > 0; left--)
                        buf_append_text(&text, words[random_below(lengthof(words))]);
                auto_free char *exact = xstrdup(buf_text(&text));
                challenge_parse(exact, &found);
                EXPECT(found.kind != CHALLENGE_BEARER || *found.realm);
                if (test_bad)
                        break;
        }
}

// ---- credentials ----

static char top[] = "/tmp/kiln-registry-XXXXXX";

static void write_config(const char *text) {
        auto_free char *path = xasprintf("%s/config.json", top);
        EXPECT_OK(fs_write(AT_FDCWD, path, text, strlen(text), 0600, err));
}

// "USER:PASSWORD", "TOKEN@", "-" for none, or the kind of the error.
static char *found_for(const char *authority, const char *repository) {
        struct credentials found = { 0 };
        auto_err error = { 0 };
        char *said;
        if (!credentials_find(authority, repository, &found, &error))
                return xstrdup(err_kind_name(error.kind));
        if (found.identity_token)
                said = xasprintf("%s@", found.identity_token);
        else if (found.user)
                said = xasprintf("%s:%s", found.user, found.password);
        else
                said = xstrdup("-");
        credentials_release(&found);
        return said;
}

static void expect_credentials(const char *authority, const char *repository, const char *expected) {
        auto_free char *found = found_for(authority, repository);
        EXPECT_TEXT(found, expected);
}

static void docker_configuration_is_read(void) {
        write_config(
            "{\"auths\":{\"reg:5000\":{\"auth\":\"dTpw\"},\"reg:5000/team\":{\"auth\":\"dGVhbTpzZWNyZXQ6eA==\"},"
            "\"https://old.example/v1/\":{\"auth\":\"bzpw\"},\"id.example\":{\"identitytoken\":\"T\"},"
            "\"bad.example\":{\"auth\":\"!\"},\"blank.example\":{\"auth\":\" \"},\"none.example\":{}}}");
        expect_credentials("reg:5000", "other/x", "u:p");
        expect_credentials("reg:5000", "team/x", "team:secret:x");
        expect_credentials("reg:5000", "teamwork/x", "u:p");
        expect_credentials("reg:50", "team/x", "-");
        expect_credentials("reg", "team/x", "-");
        expect_credentials("reg:5000.evil.example", "team/x", "-");
        expect_credentials("old.example", "x", "o:p");
        expect_credentials("id.example", "x", "T@");
        expect_credentials("none.example", "x", "-");
        expect_credentials("bad.example", "x", "SYNTAX");
        expect_credentials("blank.example", "x", "SYNTAX");
}

static void podman_comes_before_docker(void) {
        auto_free char *directory = xasprintf("%s/containers", top);
        EXPECT_OK(fs_mkdirs(AT_FDCWD, directory, 0755, err));
        static const char text[] = "{\"auths\":{\"reg:5000\":{\"auth\":\"cDpw\"}}}";
        auto_free char *path = xasprintf("%s/auth.json", directory);
        EXPECT_OK(fs_write(AT_FDCWD, path, text, strlen(text), 0600, err));
        write_config("{\"auths\":{\"reg:5000\":{\"auth\":\"dTpw\"},\"other\":{\"auth\":\"dTpw\"}}}");
        expect_credentials("reg:5000", "x", "u:p");
        setenv("XDG_RUNTIME_DIR", top, 1);
        expect_credentials("reg:5000", "x", "p:p");
        expect_credentials("other", "x", "u:p");
        setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
}

static void helpers_are_asked(void) {
        static const char script[] =
            "#!/bin/sh\nread -r host\n[ \"$host\" = helped.example ] || exit 1\n"
            "printf '{\"ServerURL\":\"%s\",\"Username\":\"who\",\"Secret\":\"what\"}' \"$host\"\n";
        auto_free char *path = xasprintf("%s/docker-credential-test", top);
        auto_free char *search = xasprintf("%s:%s", top, getenv("PATH"));
        EXPECT_OK(fs_write(AT_FDCWD, path, script, strlen(script), 0755, err));
        setenv("PATH", search, 1);
        write_config("{\"credHelpers\":{\"helped.example\":\"test\",\"evil.example\":\"../../bin/sh\","
                     "\"gone.example\":\"is-not-there\",\"empty.example\":\"test\"}}");
        expect_credentials("helped.example", "x", "who:what");
        expect_credentials("empty.example", "x", "-");
        expect_credentials("evil.example", "x", "SYNTAX");
        expect_credentials("gone.example", "x", "TOOL");
        write_config("{\"credsStore\":\"test\",\"auths\":{\"other.example\":{\"auth\":\"dTpw\"}}}");
        expect_credentials("helped.example", "x", "who:what");
        expect_credentials("other.example", "x", "u:p");
}

static void broken_configuration_is_said(void) {
        write_config("[]");
        expect_credentials("reg:5000", "x", "SYNTAX");
        write_config("{\"auths\":");
        expect_credentials("reg:5000", "x", "SYNTAX");
        write_config("{\"auths\":[1],\"credHelpers\":7,\"credsStore\":{}}");
        expect_credentials("reg:5000", "x", "-");
}

// ---- manifests of builds ----

#define MANIFEST(type, build, cluster, layers)                                                                         \
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"artifactType\":\"" type   \
        "\",\"layers\":[" layers "],\"annotations\":{\"vnd.kiln.build\":\"" build "\",\"vnd.kiln.cluster\":\"" cluster \
        "\"}}"
#define BUILD_OF(layers) MANIFEST(ARTIFACT_TYPE, "0123456789abcdef", "tiny", layers)
#define SIZED_LAYER(path, size, more)                                                                                  \
        "{\"digest\":\"sha256:" HEX64 "\",\"size\":" size                                                              \
        ",\"annotations\":{\"org.opencontainers.image.title\":\"" path "\"" more "}}"
#define LAYER(path) SIZED_LAYER(path, "5", "")

static bool manifest_is_taken(const char *text) {
        struct build_artifact artifact;
        auto_err error = { 0 };
        if (!build_artifact_parse(text, strlen(text), &artifact, &error)) {
                EXPECT(error.kind == ERR_CORRUPT);
                return false;
        }
        build_artifact_release(&artifact);
        return true;
}

static void files_of_builds_are_taken(void) {
        EXPECT(manifest_is_taken(BUILD_OF(LAYER("SHA256SUMS"))));
        EXPECT(manifest_is_taken(BUILD_OF(LAYER("a/b.iso") "," LAYER("a-b") "," LAYER("a/b"))));
        EXPECT(manifest_is_taken(BUILD_OF(SIZED_LAYER("a", "0", ",\"vnd.kiln.mode\":\"0444\""))));
}

static void hostile_manifests_are_refused(void) {
        static const char *const bad[] = {
                "",
                "[]",
                "{}",
                BUILD_OF(""),
                MANIFEST("application/vnd.example", "0123456789abcdef", "tiny", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "../../../../etc", "tiny", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "0123456789abcdeg", "tiny", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "", "tiny", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "0123456789abcdef", "..", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "0123456789abcdef", "a/b", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "0123456789abcdef", ".x", LAYER("a")),
                MANIFEST(ARTIFACT_TYPE, "0123456789abcdef", "", LAYER("a")),
                BUILD_OF("7"),
                BUILD_OF("{}"),
                BUILD_OF(LAYER("")),
                BUILD_OF(LAYER("/etc/passwd")),
                BUILD_OF(LAYER("..")),
                BUILD_OF(LAYER("../x")),
                BUILD_OF(LAYER("a/../../x")),
                BUILD_OF(LAYER("a/./x")),
                BUILD_OF(LAYER("a//x")),
                BUILD_OF(LAYER("a/")),
                BUILD_OF(LAYER(".hidden")),
                BUILD_OF(LAYER("a/.hidden")),
                BUILD_OF(LAYER("-rf")),
                BUILD_OF(LAYER("a b")),
                BUILD_OF(LAYER("a\\\\b")),
                BUILD_OF(LAYER("a\\nb")),
                BUILD_OF(LAYER("a\\u0000b")),
                BUILD_OF(LAYER("a\\u001b[31m")),
                BUILD_OF(LAYER("\xc3\xa9")),
                BUILD_OF(LAYER("a") "," LAYER("a")),
                BUILD_OF(LAYER("a") "," LAYER("a-b") "," LAYER("a/b")),
                BUILD_OF(LAYER("a/b/c") "," LAYER("a/b")),
                BUILD_OF(SIZED_LAYER("a", "-1", "")),
                BUILD_OF(SIZED_LAYER("a", "1.5", "")),
                BUILD_OF(SIZED_LAYER("a", "\"1\"", "")),
                BUILD_OF(SIZED_LAYER("a", "9223372036854775807", "") "," SIZED_LAYER("b", "9223372036854775807", "")),
                BUILD_OF(SIZED_LAYER("a", "1", "") "," SIZED_LAYER("b", "2", "")),
                BUILD_OF(SIZED_LAYER("a", "1", ",\"vnd.kiln.mode\":\"4755\"")),
                BUILD_OF("{\"digest\":\"sha512:" HEX64
                         "\",\"size\":1,\"annotations\":{\"org.opencontainers.image.title\":\"a\"}}"),
                BUILD_OF(
                    "{\"digest\":\"sha256:../../../x\",\"size\":1,\"annotations\":{\"org.opencontainers.image.title\":"
                    "\"a\"}}"),
        };
        for (size_t i = 0; i < lengthof(bad); i++)
                if (manifest_is_taken(bad[i])) {
                        printf("# taken: %s\n", bad[i]);
                        EXPECT(false);
                }
}

static bool sums_fit(const char *layers, const char *sums) {
        struct build_artifact artifact;
        auto_err error = { 0 };
        EXPECT_OK(build_artifact_parse(layers, strlen(layers), &artifact, err));
        bool fits = build_artifact_check_sums(&artifact, sums, &error);
        build_artifact_release(&artifact);
        return fits;
}

static void list_of_digests_decides(void) {
        static const char two[] = BUILD_OF(LAYER("SHA256SUMS") "," LAYER("a"));
        static const char signed_too[] = BUILD_OF(LAYER("SHA256SUMS") "," LAYER("SHA256SUMS.sig") "," LAYER("a"));
        EXPECT(sums_fit(two, HEX64 "  a\n") && sums_fit(signed_too, HEX64 "  a\n"));
        EXPECT(!sums_fit(two, ""));
        EXPECT(!sums_fit(two, HEX64 "  b\n"));
        EXPECT(!sums_fit(two, HEX64 "  a\n" HEX64 "  b\n"));
        EXPECT(!sums_fit(two, "1" HEX64 "  a\n"));
        EXPECT(!sums_fit(two, HEX64 " a\n"));
        EXPECT(!sums_fit(BUILD_OF(LAYER("SHA256SUMS") "," LAYER("a") "," LAYER("a.sig")), HEX64 "  a\n"));
        EXPECT(!sums_fit(BUILD_OF(LAYER("SHA256SUMS") "," LAYER("a") "," LAYER("manifest.json.sig")), HEX64 "  a\n"));
}

int main(void) {
        EXPECT(mkdtemp(top));
        setenv("DOCKER_CONFIG", top, 1);
        setenv("HOME", "/nonexistent", 1);
        unsetenv("REGISTRY_AUTH_FILE");
        unsetenv("XDG_RUNTIME_DIR");
        RUN(reference_has_its_parts);
        RUN(grammar_is_the_specifications);
        RUN(lengths_are_limited);
        RUN(this_machine_is_known);
        RUN(bearer_has_its_parameters);
        RUN(bearer_goes_before_basic);
        RUN(what_is_no_challenge_is_none);
        RUN(hostile_headers_are_borne);
        RUN(docker_configuration_is_read);
        RUN(podman_comes_before_docker);
        RUN(helpers_are_asked);
        RUN(broken_configuration_is_said);
        RUN(files_of_builds_are_taken);
        RUN(hostile_manifests_are_refused);
        RUN(list_of_digests_decides);
        auto_err error = { 0 };
        (void)!fs_remove_tree(AT_FDCWD, top, &error);
        return test_done();
}
