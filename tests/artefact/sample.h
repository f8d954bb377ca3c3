// SPDX-License-Identifier: MIT
// A small cluster with everything that artefacts are made of, on made-up trees: one role with three nodes (one without
// a MAC), one that takes strangers. Used by the unit tests of builder/artefact/.
#ifndef KILN_TESTS_ARTEFACT_SAMPLE_H
#define KILN_TESTS_ARTEFACT_SAMPLE_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "artefact/artefact.h"
#include "artefact/file_sums.h"
#include "artefact/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "tests/unit/test.h"

enum { SAMPLE_EPOCH = 1450051200, SAMPLE_ROLES = 2 };

static char sample_top[] = "/tmp/kiln-artefact-XXXXXX";
static int sample_fd = -1;

static const char sample_cluster[] = "cluster: demo\nrelease: test\nnetworks:\n"
                                     "  - {name: lan, subnet: 10.1.0.0/20, gateway: 10.1.0.1, dns: [10.1.0.2]}\n"
                                     "nodes:\n"
                                     "  - {name: alpha1, role: alpha, mac: \"52:54:00:AA:00:01\", ip: 10.1.0.11,\n"
                                     "     links: [{mac: \"52:54:00:aa:00:03\", dhcp: true}]}\n"
                                     "  - {name: alpha2, role: alpha, ip: 10.1.0.12}\n"
                                     "  - {name: beta1, role: beta, mac: \"52:54:00:aa:00:02\", ip: 10.1.0.21}\n"
                                     "variables: {greeting: hello}\npaths: {kickstart: ks}\n";
static const char sample_release[] =
    "description: test\narch: x86_64\nrepositories:\n  - {name: none, baseurl: repo, trust: digest}\n"
    "kernel: {package: kernel, image: \"/boot/vmlinuz-*\"}\nkernel_arguments: [\"console=ttyS0,115200\"]\n"
    "squashfs: {compressor: gzip, level: 6, block_size: 131072}\nrpmdb: sqlite\nnetwork: ifcfg\n"
    "initrd: {compressor: gzip, modules: [first, absent-one, builtin_one]}\n"
    "bootloader:\n  packages: []\n  isolinux: /bl/isolinux.bin\n  isolinux_modules: /bl\n  isohybrid_mbr: "
    "/bl/isohdpfx.bin\n"
    "  pxelinux: /bl/pxelinux.0\n  grub_efi_iso: /bl/gcdx64.efi\n  grub_efi_net: /bl/grubx64.efi\n  shim: "
    "/bl/shim.efi\n"
    "  ipxe_bios: /bl/undionly.kpxe\n  ipxe_efi: /bl/ipxe.efi\n";
static const char sample_alpha[] = "description: first\npackages: [bash]\nkernel_arguments: [quiet, \"mem=1G;x\"]\n";
static const char sample_beta[] = "description: second\npackages: [bash]\nstrangers: true\n";
static const char sample_kickstart[] = "# {{role.name}} {{variables.greeting}}\nliveimg --url={{artefact.rootfs_url}} "
                                       "--checksum={{artefact.rootfs_sha256}}\n"
                                       "{{#node}}network --ip={{ip}} --hostname={{name}} "
                                       "--netmask={{netmask}}\n{{/node}}{{^node}}network --bootproto=dhcp\n{{/node}}"
                                       "# {{artefact.config_url}} {{artefact.kernel_arguments}}\n";

static void sample_put(const char *path, const void *data, size_t size, mode_t mode) {
        struct err error = { 0 };
        if (!fs_mkdirs_for(sample_fd, path, 0755, &error) ||
            !fs_write_atomic(sample_fd, path, data, size, mode, &error)) {
                printf("Bail out! %s\n", error.text);
                exit(1);
        }
}

static inline void sample_text(const char *path, const char *text) { sample_put(path, text, strlen(text), 0644); }

static int sample_dir(const char *path) {
        struct err error = { 0 };
        int fd = -1;
        if (!fs_mkdirs(sample_fd, path, 0755, &error) || !fs_open_dir(sample_fd, path, &fd, &error)) {
                printf("Bail out! %s\n", error.text);
                exit(1);
        }
        return fd;
}

// Boot loaders that no machine runs, but that xorriso and mtools take for what they stand for.
static void sample_bootloaders(void) {
        static char bytes[40000];
        static const unsigned char hybrid[] = { 0xfb, 0xc0, 0x78, 0x70 }; // isolinux.bin's mark for hybrid use
        memset(bytes, 'i', sizeof bytes);
        memcpy(bytes + 0x40, hybrid, sizeof hybrid);
        sample_put("bootloader/bl/isolinux.bin", bytes, sizeof bytes, 0644);
        sample_put("bootloader/bl/isohdpfx.bin", bytes, 432, 0644);
        sample_text("bootloader/bl/ldlinux.c32", "ldlinux");
        sample_text("bootloader/bl/menu.c32", "menu");
        sample_text("bootloader/bl/pxelinux.0", "pxelinux");
        sample_put("bootloader/bl/gcdx64.efi", "MZ..\0linuxefi\0initrdefi", 24, 0644);
        sample_put("bootloader/bl/grubx64.efi", "MZ..\0linux\0initrd", 18, 0644);
        sample_text("bootloader/bl/shim.efi", "MZ shim");
        sample_text("bootloader/bl/undionly.kpxe", "kpxe");
        sample_text("bootloader/bl/ipxe.efi", "ipxe");
}

// A kernel module as far as modinfo(8) reads one: an ELF file with a section .modinfo. `info` holds NUL-separated
// strings.
static inline void sample_module(const char *path, const char *info, size_t info_size) {
        static const char names[] = "\0.modinfo\0.shstrtab";
        struct {
                Elf64_Ehdr header;
                Elf64_Shdr sections[3];
                char names[sizeof names];
                char info[400];
        } file = {
                .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                            .e_type = ET_REL,
                            .e_machine = EM_X86_64,
                            .e_version = EV_CURRENT,
                            .e_ehsize = sizeof(Elf64_Ehdr),
                            .e_shentsize = sizeof(Elf64_Shdr),
                            .e_shnum = 3,
                            .e_shstrndx = 2 },
        };
        file.header.e_shoff = offsetof(__typeof__(file), sections);
        file.sections[1] = (Elf64_Shdr){ .sh_name = 1,
                                         .sh_type = SHT_PROGBITS,
                                         .sh_offset = offsetof(__typeof__(file), info),
                                         .sh_size = info_size,
                                         .sh_addralign = 1 };
        file.sections[2] = (Elf64_Shdr){ .sh_name = 10,
                                         .sh_type = SHT_STRTAB,
                                         .sh_offset = offsetof(__typeof__(file), names),
                                         .sh_size = sizeof names,
                                         .sh_addralign = 1 };
        memcpy(file.names, names, sizeof names);
        memcpy(file.info, info, info_size);
        sample_put(path, &file, sizeof file, 0644);
}
#define SAMPLE_MODULE(path, info) sample_module(path, info, sizeof(info))

static void sample_files(void) {
        sample_text("cluster.yaml", sample_cluster);
        sample_text("releases/test.yaml", sample_release);
        sample_text("roles/alpha.yaml", sample_alpha);
        sample_text("roles/beta.yaml", sample_beta);
        sample_text("ks/alpha.ks.tmpl", sample_kickstart);
        sample_bootloaders();
        sample_text("root/boot/vmlinuz-1.2", "kernel");
        SAMPLE_MODULE(
            "root/lib/modules/1.2/kernel/first.ko",
            "alias=pci:v00001AF4d*\0depends=second-mod\0softdep=pre: third post: nothing\0firmware=first/fw.bin\0"
            "firmware=../../etc/os-release\0license=GPL");
        SAMPLE_MODULE("root/lib/modules/1.2/kernel/drivers/second-mod.ko", "alias=fs-second\0depends=\0license=GPL");
        SAMPLE_MODULE("root/lib/modules/1.2/kernel/third.ko", "depends=second_mod,builtin_one\0license=GPL");
        SAMPLE_MODULE("root/lib/modules/1.2/kernel/unused.ko", "depends=\0license=GPL");
        SAMPLE_MODULE("root/lib/modules/1.2/updates/third.ko", "depends=\0version=new\0license=GPL");
        sample_text("root/lib/modules/1.2/modules.builtin", "kernel/x/builtin-one.ko\n");
        sample_text("root/lib/firmware/first/fw.bin", "firmware");
        sample_text("root/etc/os-release", "NAME=test\n");
        sample_text("config/etc/hostname", "x\n");
        sample_text("config/etc/copy", "linked\n");
        if (linkat(sample_fd, "config/etc/copy", sample_fd, "config/etc/second", 0) < 0 ||
            mknodat(sample_fd, "config/etc/removed", S_IFCHR, 0) < 0 ||
            symlinkat("hostname", sample_fd, "config/etc/link") < 0)
                printf("# the configuration layer is not complete\n");
}

struct sample {
        struct cluster *cluster;
        struct package_set packages;
        struct artefact_role roles[SAMPLE_ROLES];
        struct artefact_build build;
        struct cache *cache;
        int out;
};

// Fills `sample` for a build that writes to the new directory `out`.
static bool sample_open(struct sample *sample, const char *out, struct err *err) {
        static struct repository repository = { .name = "none" };
        static struct package package = { "bash",      "4.2",   "1",      "x86_64", 2,    "bash-2:4.2-1.x86_64",
                                          &repository, "x.rpm", "sha256", "00ff",   1000, 3000,
                                          NULL };
        auto_free char *path = xasprintf("%s/cluster.yaml", sample_top);
        static const struct package *items[] = { &package };
        *sample = (struct sample){ .packages = { items, 1 }, .out = sample_dir(out) };
        struct profile_options options = { 0 };
        if (!cluster_load(path, &options, &sample->cluster, err))
                return false;
        auto_free char *cache = xasprintf("%s/cache", sample_top);
        if (!cache_open(cache, &sample->cache, err))
                return false;
        for (size_t i = 0; i < SAMPLE_ROLES; i++) {
                const struct role *role = &sample->cluster->roles[i];
                auto_free char *role_out = xasprintf("%s/%s", out, role->name);
                sample->roles[i] = (struct artefact_role){
                        .role = role,
                        .packages = &sample->packages,
                        .root = sample_dir("root"),
                        .config = sample_dir("config"),
                        .bootloader = sample_dir("bootloader"),
                        .kernel_version = "1.2",
                        .kernel_path = "boot/vmlinuz-1.2",
                        .root_key = role->name,
                        .out = sample_dir(role_out),
                };
        }
        sample->build = (struct artefact_build){
                .cluster = sample->cluster,
                .roles = sample->roles,
                .role_count = SAMPLE_ROLES,
                .build_id = "build-1",
                .maker = "",
                .lock = "kiln-lock 1\n",
                .cache = sample->cache,
                .kiln_node = "/bin/true",
                .initramfs_dir = "firmware/initramfs",
                .bootloader_dir = "firmware/bootloader",
                .source_date_epoch = SAMPLE_EPOCH,
                .out = sample->out,
                .jobs = 2,
        };
        return true;
}

static void sample_close(struct sample *sample) {
        for (size_t i = 0; i < SAMPLE_ROLES; i++) {
                close_cleanup(&sample->roles[i].root);
                close_cleanup(&sample->roles[i].config);
                close_cleanup(&sample->roles[i].bootloader);
                close_cleanup(&sample->roles[i].out);
        }
        close_cleanup(&sample->out);
        cluster_free(sample->cluster);
        cache_close(sample->cache);
}

static void sample_begin(void) {
        if (!mkdtemp(sample_top) || (sample_fd = open(sample_top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
                printf("Bail out! no temporary directory\n");
                exit(1);
        }
        sample_files();
}

static int sample_end(void) {
        struct err ignored = { 0 };
        if (!fs_remove_tree(AT_FDCWD, sample_top, &ignored))
                err_release(&ignored);
        return test_done();
}

// Runs shell text in the sample's directory; what a judge prints is shown when it fails.
static inline bool sample_judge(const char *script, struct buf *output, struct err *err) {
        const char *argv[] = { "sh", "-euc", script, NULL };
        return run(&(struct run){ .argv = argv, .dir = sample_top, .output = output }, err);
}

#endif
