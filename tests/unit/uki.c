// SPDX-License-Identifier: MIT
// PE images and their signatures, on systemd's stub where the build host has it, and on headers made here. objdump,
// sbverify and sbsign are the judges.
#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "tests/unit/test.h"
#include "uki/pe_image.h"
#include "uki/secure_boot.h"

#define STUB "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"

static char top[] = "/tmp/kiln-uki-XXXXXX";
static struct buf stub;

static bool have_stub(void) {
        EXPECT(stub.size > 0);
        return stub.size > 0;
}

static bool judge(const char *script, struct buf *output, struct err *err) {
        const char *argv[] = { "sh", "-euc", script, NULL };
        return run(&(struct run){ .argv = argv, .dir = top, .output = output }, err);
}

static void save(const char *name, const struct buf *bytes) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        EXPECT_OK(fs_write(AT_FDCWD, path, bytes->data, bytes->size, 0600, err));
}

// A stub as small as can be: two sections, room for seven more.
static void make_small_stub(struct buf *ret) {
        uint8_t image[1536] = { 'M', 'Z' };
        const struct {
                size_t at;
                uint32_t value;
        } words[] = {
                { 0x3c, 0x40 },         { 0x40, 0x4550 },      { 0x44, 0x28664 },     // "PE", two sections for x86-64
                { 0x54, 0x20600f0 },    { 0x58, 0x20b },       { 0x58 + 32, 0x1000 }, // optional header, alignments
                { 0x58 + 36, 0x200 },   { 0x58 + 56, 0x3000 }, { 0x58 + 60, 0x400 },  // sizes
                { 0x58 + 68, 10 },      { 0x58 + 108, 16 },    { 0x148 + 8, 0x20 },   // subsystem; .text
                { 0x148 + 12, 0x1000 }, { 0x148 + 16, 0x200 }, { 0x148 + 20, 0x400 }, { 0x170 + 8, 0x34 }, // .sdmagic
                { 0x170 + 12, 0x2000 }, { 0x170 + 16, 0 },     { 0x170 + 20, 0 },
        };
        for (size_t i = 0; i < lengthof(words); i++) {
                uint32_t little = htole32(words[i].value);
                memcpy(image + words[i].at, &little, sizeof little);
        }
        memcpy(image + 0x148, ".text", 5);
        memcpy(image + 0x170, ".sdmagic", 8);
        buf_append(ret, image, sizeof image);
}

static const struct pe_content contents[] = {
        { ".osrel", "ID=kiln\n", 8 },
        { ".cmdline", "kiln.role=x\0", 12 },
        { ".linux", "MZ kernel", 9 },
        { ".initrd", "initrd", 6 },
};

static void add(const struct buf *to, struct buf *ret) {
        struct pe_image image;
        EXPECT_OK(pe_image_read(to->data, to->size, &image, err));
        EXPECT_OK(pe_image_add_sections(&image, contents, lengthof(contents), ret, err));
}

static void sections_are_added(void) {
        auto_buf small = { 0 };
        auto_buf once = { 0 };
        auto_buf twice = { 0 };
        struct pe_image image = { 0 };
        make_small_stub(&small);
        add(&small, &once);
        add(&small, &twice);
        EXPECT(once.size == twice.size && memcmp(once.data, twice.data, once.size) == 0);
        EXPECT_OK(pe_image_read(once.data, once.size, &image, err));
        EXPECT(image.section_count == 6 && image.end_bytes == once.size);
        const struct pe_section *initrd = pe_image_find(&image, ".initrd");
        EXPECT(initrd && initrd->data_bytes == 6 && memcmp(initrd->data, "initrd", 6) == 0);
        EXPECT(initrd && initrd->address % 4096 == 0 && initrd->offset % 512 == 0);
        EXPECT(!pe_image_find(&image, ".splash"));
}

static void stubs_sections_stay(void) {
        auto_buf bytes = { 0 };
        auto_buf output = { 0 };
        struct pe_image before, after;
        if (!have_stub())
                return;
        add(&stub, &bytes);
        EXPECT_OK(pe_image_read(stub.data, stub.size, &before, err));
        EXPECT_OK(pe_image_read(bytes.data, bytes.size, &after, err));
        for (size_t i = 0; i < before.section_count; i++)
                EXPECT(memcmp(&before.sections[i].address, &after.sections[i].address, 16) == 0 &&
                       memcmp(before.sections[i].data, after.sections[i].data, before.sections[i].stored_bytes) == 0);
        save("kiln.efi", &bytes);
        EXPECT_OK(judge("objdump -h kiln.efi >sections; grep -c -E '[.](osrel|cmdline|linux|initrd) ' sections;"
                        "objcopy -O binary --only-section=.linux kiln.efi linux; head -c 9 linux",
                        &output, err));
        EXPECT_TEXT(buf_text(&output), "4\nMZ kernel");
}

static const char *problem_of(const struct buf *bytes) {
        static char text[200];
        struct err err = { 0 };
        struct pe_image image;
        snprintf(text, sizeof text, "taken");
        if (!pe_image_read(bytes->data, bytes->size, &image, &err))
                snprintf(text, sizeof text, "%s", err.text);
        err_release(&err);
        return text;
}

static void headers_are_checked(void) {
        static const struct {
                size_t at;
                uint32_t value;
                const char *problem;
        } cases[] = {
                { 0, 0x4550, "it is no EFI program" },
                { 0x3c, 0xfffffff0, "it is no EFI program" },
                { 0x3c, 1500, "it is no EFI program" },
                { 0x44, 0x2014c, "it is not for x86-64" },
                { 0x44, 0x8664, "it has no sections, or too many" },
                { 0x44, 0xffff8664, "it has no sections, or too many" },
                { 0x44, 0x288664 & 0x3f8664, "its headers do not fit" },
                { 0x54, 0x10, "its headers are too short" },
                { 0x54, 0xfff0, "its headers are too short" },
                { 0x58 + 32, 3, "its alignment is none" },
                { 0x58 + 36, 0, "its alignment is none" },
                { 0x58 + 60, 0x100, "its headers do not fit" },
                { 0x58 + 60, 0x7fffffff, "its headers do not fit" },
                { 0x58 + 68, 3, "it is no EFI application" },
                { 0x58 + 108, 4, "its data directories do not fit" },
                { 0x58 + 108, 0x7fffffff, "its data directories do not fit" },
                { 0x58 + 112 + 36, 8, "its signatures are not at its end" },
                { 0x148 + 12, 0, "its sections are not in the order of their addresses" },
                { 0x148 + 16, 0xfffffe00, "a section ends behind the file's end" },
                { 0x148 + 20, 0x500, "its sections do not follow each other in the file" },
                { 0x170 + 12, 0x1010, "its sections are not in the order of their addresses" },
                { 0x170 + 8, 0xffffffff, "a section ends behind the file's end" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_buf bytes = { 0 };
                make_small_stub(&bytes);
                uint32_t little = htole32(cases[i].value);
                memcpy(bytes.data + cases[i].at, &little, sizeof little);
                EXPECT_TEXT(problem_of(&bytes), cases[i].problem);
        }
}

// Whatever stands there: it is read within its bounds, or refused. Sanitizers watch.
static void damage_is_survived(void) {
        auto_buf whole = { 0 };
        make_small_stub(&whole);
        for (size_t size = 0; size < whole.size; size += 7) {
                auto_free char *copy = xmalloc(size + 1);
                memcpy(copy, whole.data, size);
                (void)problem_of(&(struct buf){ .data = copy, .size = size });
        }
        srand(1);
        for (int round = 0; round < 20000; round++) {
                auto_buf bytes = { 0 };
                buf_append(&bytes, whole.data, whole.size);
                for (int change = 0; change < 3; change++)
                        bytes.data[0x3c + rand() % 0x170] = (char)rand();
                struct err err = { 0 };
                struct pe_image image;
                auto_buf added = { 0 };
                bool is_read = pe_image_read(bytes.data, bytes.size, &image, &err);
                if (is_read && pe_image_add_sections(&image, contents, lengthof(contents), &added, &err)) {
                        auto_buf plain = { 0 };
                        if (pe_image_read(added.data, added.size, &image, &err))
                                pe_image_certify(&image, NULL, 0, &plain);
                }
                err_release(&err);
        }
}

static void sections_that_do_not_fit(void) {
        auto_buf small = { 0 };
        auto_buf once = { 0 };
        auto_buf again = { 0 };
        struct pe_content many[20];
        struct pe_image image;
        struct err problem = { 0 };
        make_small_stub(&small);
        add(&small, &once);
        EXPECT_OK(pe_image_read(once.data, once.size, &image, err));
        EXPECT(!pe_image_add_sections(&image, contents, lengthof(contents), &again, &problem));
        EXPECT_TEXT(problem.text, "it has a section .osrel already");
        for (size_t i = 0; i < lengthof(many); i++)
                many[i] = (struct pe_content){ ".x", "", 0 };
        EXPECT(!pe_image_add_sections(&image, many, lengthof(many), &again, &problem));
        EXPECT_TEXT(problem.text, "its headers have no room for more sections");
        many[0].size_bytes = (size_t)3 << 30;
        EXPECT(!pe_image_add_sections(&image, many, 1, &again, &problem));
        EXPECT_TEXT(problem.text, "all together is larger than 2 GiB");
        err_release(&problem);
}

// ---- signatures ----

static bool have_keys(void) {
        static int made = -1;
        if (made < 0) {
                struct err err = { 0 };
                made =
                    judge("for name in one two; do openssl req -quiet -x509 -newkey rsa:2048 -noenc -subj /CN=$name/ "
                          "-keyout $name.key -out $name.pem 2>/dev/null || openssl req -x509 -newkey rsa:2048 -nodes "
                          "-subj /CN=$name/ -keyout $name.key -out $name.pem 2>/dev/null; done; chmod 600 *.key; "
                          "openssl ecparam -genkey -name prime256v1 -noout -out curve.key; "
                          "openssl rsa -aes128 -passout pass:x -in one.key -out locked.key 2>/dev/null; "
                          "cp one.key open.key; chmod 600 curve.key locked.key; chmod 644 open.key; mkdir folder",
                          NULL, &err);
                if (!made)
                        printf("# no keys: %s\n", err.text);
                err_release(&err);
        }
        EXPECT(made);
        return made;
}

static bool open_key(const char *key, const char *certificate, struct secure_boot_key **ret, struct err *err) {
        auto_free char *key_path = xasprintf("%s/%s", top, key);
        auto_free char *certificate_path = xasprintf("%s/%s", top, certificate);
        return secure_boot_open(key_path, certificate_path, ret, err);
}

static void sign(const struct buf *from, struct buf *ret) {
        struct secure_boot_key *key = NULL;
        struct pe_image image;
        EXPECT_OK(open_key("one.key", "one.pem", &key, err));
        EXPECT_OK(pe_image_read(from->data, from->size, &image, err));
        EXPECT_OK(secure_boot_sign(key, &image, ret, err));
        secure_boot_free(key);
}

// A file that was cut or that somebody made so ends with a message, as any other that is damaged.
static void unaligned_images_are_not_signed(void) {
        static const char certificate[16] = { 16 };
        struct secure_boot_key *key = NULL;
        struct pe_image image;
        auto_buf small = { 0 }, added = { 0 }, certified = { 0 };
        auto_err unsignable = { 0 }, unaligned = { 0 };
        if (!have_keys())
                return;
        make_small_stub(&small);
        buf_append_text(&small, "symbols");
        EXPECT_OK(pe_image_read(small.data, small.size, &image, err));
        EXPECT_OK(open_key("one.key", "one.pem", &key, err));
        EXPECT(!secure_boot_sign(key, &image, &certified, &unsignable) && strstr(unsignable.text, "is not aligned"));
        secure_boot_free(key);
        buf_clear(&small);
        make_small_stub(&small);
        const uint32_t unaligned_headers = htole32(0x3fc);
        memcpy(small.data + 0x58 + 60, &unaligned_headers, sizeof unaligned_headers);
        memcpy(small.data + 0x148 + 20, &unaligned_headers, sizeof unaligned_headers);
        EXPECT_OK(pe_image_read(small.data, small.size, &image, err));
        EXPECT(!pe_image_add_sections(&image, contents, lengthof(contents), &added, &unaligned));
        EXPECT_TEXT(unaligned.text, "its sections are not aligned");
        buf_clear(&small);
        make_small_stub(&small);
        EXPECT_OK(pe_image_read(small.data, small.size, &image, err));
        pe_image_certify(&image, certificate, sizeof certificate, &certified);
        EXPECT_OK(pe_image_read(certified.data, certified.size, &image, err));
        const uint32_t place = htole32((uint32_t)certified.size - 12), size = htole32(12);
        memcpy(certified.data + image.certificates_at, &place, sizeof place);
        memcpy(certified.data + image.certificates_at + 4, &size, sizeof size);
        EXPECT_TEXT(problem_of(&certified), "its signatures are not aligned");
}

static void signature_is_taken_by_sbverify(void) {
        auto_buf plain = { 0 };
        auto_buf signed_once = { 0 };
        auto_buf signed_twice = { 0 };
        auto_buf output = { 0 };
        if (!have_stub() || !have_keys())
                return;
        add(&stub, &plain);
        sign(&plain, &signed_once);
        sign(&signed_once, &signed_twice); // the former signature is replaced
        EXPECT(signed_once.size == signed_twice.size &&
               memcmp(signed_once.data, signed_twice.data, signed_once.size) == 0);
        save("plain.efi", &plain);
        save("kiln.efi", &signed_once);
        EXPECT_OK(
            judge("sbverify --cert one.pem kiln.efi 2>&1; ! sbverify --cert two.pem kiln.efi 2>&1", &output, err));
        EXPECT(strstr(buf_text(&output), "Signature verification OK"));
        EXPECT_OK(judge("sbattach --remove kiln.efi; cmp kiln.efi plain.efi", NULL, err));
        EXPECT_OK(judge("sbsign --key one.key --cert one.pem --output peer.efi plain.efi 2>&1;"
                        "sbverify --cert one.pem peer.efi 2>&1",
                        NULL, err));
}

// Each section is covered: no byte of it can be another one.
static void changed_bytes_are_noticed(void) {
        auto_buf plain = { 0 };
        auto_buf bytes = { 0 };
        struct pe_image image;
        if (!have_stub() || !have_keys())
                return;
        add(&stub, &plain);
        sign(&plain, &bytes);
        EXPECT_OK(pe_image_read(bytes.data, bytes.size, &image, err));
        for (size_t i = 0; i < image.section_count; i++) {
                bytes.data[image.sections[i].offset] ^= 1;
                save("wrong.efi", &bytes);
                bytes.data[image.sections[i].offset] ^= 1;
                EXPECT_OK(judge("! sbverify --cert one.pem wrong.efi >/dev/null 2>&1", NULL, err));
        }
}

static void keys_that_cannot_sign(void) {
        static const struct {
                const char *key, *certificate, *problem;
        } cases[] = {
                { "absent.key", "one.pem", "/absent.key: No such file or directory" },
                { "folder", "one.pem", "/folder is not a file" },
                { "open.key", "one.pem", "/open.key can be read by others than its owner" },
                { "locked.key", "one.pem", "/locked.key holds no private key in PEM, or one with a passphrase" },
                { "one.pem", "one.pem", "/one.pem holds no private key in PEM, or one with a passphrase" },
                { "curve.key", "one.pem", "/curve.key is no RSA key, which firmware asks for" },
                { "one.key", "two.key", "/two.key holds no certificate in PEM" },
                { "one.key", "two.pem", "/one.key" },
        };
        if (!have_keys())
                return;
        EXPECT_OK(judge("chmod 600 one.pem", NULL, err));
        for (size_t i = 0; i < lengthof(cases); i++) {
                struct secure_boot_key *key = NULL;
                struct err err = { 0 };
                EXPECT(!open_key(cases[i].key, cases[i].certificate, &key, &err) && !key);
                const char *found = err.text ? strstr(err.text, cases[i].problem) : NULL;
                EXPECT_TEXT(found, cases[i].problem);
                err_release(&err);
        }
}

int main(void) {
        struct err err = { 0 };
        if (!mkdtemp(top))
                return 1;
        if (!fs_read(AT_FDCWD, STUB, &stub, &err))
                printf("# %s: systemd-boot-efi is not installed\n", err.text);
        RUN(sections_are_added);
        RUN(stubs_sections_stay);
        RUN(headers_are_checked);
        RUN(damage_is_survived);
        RUN(sections_that_do_not_fit);
        RUN(unaligned_images_are_not_signed);
        RUN(signature_is_taken_by_sbverify);
        RUN(changed_bytes_are_noticed);
        RUN(keys_that_cannot_sign);
        buf_release(&stub);
        err_release(&err);
        struct err ignored = { 0 };
        (void)!fs_remove_tree(AT_FDCWD, top, &ignored);
        err_release(&ignored);
        return test_done();
}
