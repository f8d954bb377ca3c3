// SPDX-License-Identifier: MIT
#include "artefact/image/file_list.h"
#include "tests/artefact/sample.h"

static struct sample sample;

static void everything_is_written(void) {
        EXPECT_OK(sample_open(&sample, "out", err));
        sample.build.http_base = "http://10.1.0.2/kiln";
        EXPECT_OK(artefacts_check(&sample.build, NULL, err));
        EXPECT_OK(artefacts_write(&sample.build, NULL, err));
}

static void sha256sum_agrees(void) {
        EXPECT_OK(sample_judge("cd out; sha256sum --quiet --strict -c SHA256SUMS; "
                               "test $(wc -l < SHA256SUMS) = $(find . -type f ! -name SHA256SUMS | wc -l)",
                               NULL, err));
}

static void the_manifest_says_what_is_in_the_images(void) {
        EXPECT_OK(sample_judge(
            "python3 - <<'E'\nimport json, hashlib\n"
            "text = open('out/manifest.json').read()\n"
            "m = json.loads(text)\n"
            "assert list(m) == sorted(m), list(m)\n"
            "assert (m['build'], m['cluster'], m['release'], m['format']) == ('build-1', 'demo', 'test', 1)\n"
            "alpha = m['roles']['alpha']\n"
            "assert list(alpha) == sorted(alpha) and list(m['roles']) == ['alpha', 'beta']\n"
            "files = {f['path']: f for f in alpha['files']}\n"
            "assert files['/etc/os-release']['sha256'] == hashlib.sha256(b'NAME=test\\n').hexdigest()\n"
            "assert files['/etc']['type'] == 'directory' and files['/etc/os-release']['mode'] == '0644'\n"
            "config = {f['path']: f for f in alpha['configuration']}\n"
            "assert config['/etc/removed']['type'] == 'whiteout' and config['/etc/link']['target'] == 'hostname'\n"
            "assert config['/etc/copy']['sha256'] == config['/etc/second']['sha256'] == "
            "hashlib.sha256(b'linked\\n').hexdigest()\n"
            "assert alpha['packages'] == [dict(name='bash', nevra='bash-2:4.2-1.x86_64', arch='x86_64', "
            "repository='none', "
            "sha256='00ff', size=1000, installed_size=3000)], alpha['packages']\n"
            "assert (type(alpha['kernel'].pop('arguments')), alpha['kernel']) == (list, {'image': 'boot/vmlinuz-1.2', "
            "'version': '1.2'})\n"
            "assert alpha['root']['sha256'] == hashlib.sha256(open('out/alpha/rootfs.squashfs', "
            "'rb').read()).hexdigest()\n"
            "for a in m['artefacts']:\n"
            "    data = open('out/' + a['path'], 'rb').read()\n"
            "    assert len(data) == a['size'] and hashlib.sha256(data).hexdigest() == a['sha256'], a\n"
            "paths = [a['path'] for a in m['artefacts']]\n"
            "assert 'alpha/demo-alpha.iso' in paths and 'pxe/boot.ipxe' in paths and 'kickstart/alpha.ks' in paths\nE",
            NULL, err));
}

static void the_sbom_is_spdx(void) {
        EXPECT_OK(sample_judge(
            "python3 - <<'E'\nimport json, re\nd = json.load(open('out/sbom.spdx.json'))\n"
            "assert d['spdxVersion'] == 'SPDX-2.3' and d['dataLicense'] == 'CC0-1.0' and d['SPDXID'] == "
            "'SPDXRef-DOCUMENT'\n"
            "assert d['creationInfo']['created'] == '2015-12-14T00:00:00Z' and "
            "d['documentNamespace'].startswith('https://')\n"
            "ids = [p['SPDXID'] for p in d['packages']]\n"
            "assert len(ids) == len(set(ids)) == 6 and all(re.fullmatch(r'SPDXRef-[A-Za-z0-9.-]+', i) for i in ids)\n"
            "for p in d['packages']:\n"
            "    assert p['name'] and p['downloadLocation'] and p['versionInfo'] and p['filesAnalyzed'] is False\n"
            "known = set(ids) | {'SPDXRef-DOCUMENT'}\n"
            "for r in d['relationships']:\n"
            "    assert r['spdxElementId'] in known and r['relatedSpdxElement'] in known\n"
            "assert sum(r['relationshipType'] == 'DESCRIBES' for r in d['relationships']) == 3\n"
            "assert sum(r['relationshipType'] == 'CONTAINS' for r in d['relationships']) == 4\nE",
            NULL, err));
}

static void a_second_build_is_the_same_in_every_bit(void) {
        struct sample again;
        EXPECT_OK(sample_judge("sleep 1.1; rm -rf cache", NULL, err));
        EXPECT_OK(sample_open(&again, "again", err));
        again.build.http_base = sample.build.http_base;
        EXPECT_OK(artefacts_write(&again.build, NULL, err));
        EXPECT_OK(sample_judge("diff -r out again", NULL, err));
        sample_close(&again);
}

static void an_unknown_kind_is_a_mistake_of_usage(void) {
        struct err error = { 0 };
        const char *names[] = { "tarball" };
        struct strings wanted = { names, 1 };
        EXPECT(!artefacts_check(&sample.build, &wanted, &error));
        EXPECT(error.kind == ERR_USAGE);
        err_release(&error);
}

static void every_kind_needs_only_earlier_kinds(void) {
        for (size_t i = 0; i < artefact_kind_count; i++)
                for (const char *const *need = artefact_kinds[i]->needs; need && *need; need++) {
                        bool earlier = false;
                        for (size_t j = 0; j < i; j++)
                                earlier = earlier || strcmp(artefact_kinds[j]->name, *need) == 0;
                        EXPECT(earlier);
                }
}

static void names_that_are_not_utf8_are_kept_readable(void) {
        auto_close int dir = sample_dir("odd");
        auto_buf list = { 0 };
        sample_put("odd/na\xefve", "x", 1, 0600);
        EXPECT_OK(file_list_scan(dir, &list, err));
        EXPECT(strstr(buf_text(&list), "\"path\":\"/na\\\\xefve\"") != NULL);
}

int main(void) {
        sample_begin();
        RUN(everything_is_written);
        RUN(sha256sum_agrees);
        RUN(the_manifest_says_what_is_in_the_images);
        RUN(the_sbom_is_spdx);
        RUN(a_second_build_is_the_same_in_every_bit);
        RUN(an_unknown_kind_is_a_mistake_of_usage);
        RUN(every_kind_needs_only_earlier_kinds);
        RUN(names_that_are_not_utf8_are_kept_readable);
        sample_close(&sample);
        return sample_end();
}
