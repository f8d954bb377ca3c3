// SPDX-License-Identifier: MIT
// The grammar of a release file. Names of trust and of network writers are in the order of their enums.
#include "profile/internal.h"
#include "profile/tables.h"

static const char *const trusts[] = { [TRUST_SIGNATURE] = "signature", [TRUST_DIGEST] = "digest", NULL };
static const char *const squashfs_compressors[] = { "gzip", "xz", "zstd", NULL };
static const char *const initrd_compressors[] = { "gzip", "xz", "zstd", NULL };
static const char *const databases[] = { "sqlite", "bdb", NULL };
static const char *const network_writers[] = { "systemd-networkd", "ifcfg", "NetworkManager", NULL };

static const struct schema_field repository_rows[] = {
        { "name", "name for messages and the cache", &type_text, MEMBER(repository, name), .required = true,
          .pattern = FILE_NAME_PATTERN, .pattern_means = FILE_NAME_MEANS },
        { "baseurl", "URLs, tried in turn, or paths relative to this file; they may have $basearch and $releasever",
          &type_texts, MEMBER(repository, base_urls), .or_one = true },
        { "mirrorlist", "URL of a list of base URLs", &type_text, MEMBER(repository, mirrorlist) },
        { "metalink", "URL of a list of mirrors with the digests of their repomd.xml, as Fedora and EPEL publish it",
          &type_text, MEMBER(repository, metalink) },
        { "gpgkeys", "public keys: URLs, or paths relative to this file", &type_texts, MEMBER(repository, keys),
          .or_one = true },
        { "fingerprints", "fingerprints that the keys must have", &type_texts, MEMBER(repository, fingerprints),
          .or_one = true,
          .pattern = "^([0-9A-Fa-f] ?){40}$|^([0-9A-Fa-f] ?){64}$|^([0-9A-Fa-f]{4} +){5} *([0-9A-Fa-f]{4} *){5}$",
          .pattern_means = "a fingerprint of 40 or 64 hexadecimal digits" },
        { "trust", "what vouches for a package: its own signature, or the metadata's digest", &type_choice,
          MEMBER(repository, trust), .fallback = "signature", .choices = trusts },
        { "repo_gpgcheck", "repomd.xml must be signed (repomd.xml.asc)", &type_bool,
          MEMBER(repository, check_metadata_signature), .fallback = "false" },
        { "allow_sha1", "accept SHA-1 signatures of packages and of repomd.xml", &type_bool,
          MEMBER(repository, allow_sha1), .fallback = "false" },
        { "priority", "of the repositories that have what is needed, the lowest number is taken, whatever the versions",
          &type_integer, MEMBER(repository, priority), .fallback = "99", .min = 1, .max = 99 },
        { "excludes", "packages that do not exist: NAME, NAME.ARCH, NAME-VERSION[-RELEASE[.ARCH]], parts may be globs",
          &type_texts, MEMBER(repository, excludes), .pattern = GLOB_PATTERN, .pattern_means = GLOB_MEANS },
        { "module_hotfixes", "packages of no module are offered beside those that modules have under the same name",
          &type_bool, MEMBER(repository, module_hotfixes), .fallback = "false" },
        { "skip_if_unavailable",
          "a directory of this machine that is not there is passed over with a warning, until something of it is "
          "needed",
          &type_bool, MEMBER(repository, skip_if_unavailable), .fallback = "false" },
        { "includes", "the only packages that exist, named likewise", &type_texts, MEMBER(repository, includes),
          .pattern = GLOB_PATTERN, .pattern_means = GLOB_MEANS },
};
static const struct schema repository_table =
    SCHEMA(repository, repository_rows, "a repository", "a place that packages come from");

static const struct schema_field kernel_rows[] = {
        { "package", "package that holds the kernel; package_names may say that there is none", &type_text,
          MEMBER(release, kernel_package), .fallback = "kernel", .pattern = PACKAGE_PATTERN,
          .pattern_means = PACKAGE_MEANS },
        { "image", "the kernel's file in the image, with one `*` where its version is", &type_path,
          MEMBER(release, kernel_image), .fallback = "/boot/vmlinuz-*" },
};
static const struct schema kernel_part = SCHEMA_PART(kernel_rows, "`kernel`", "the kernel");

static const struct schema_field squashfs_rows[] = {
        { "compressor", "one that the release's kernel knows", &type_text, MEMBER(release, squashfs_compressor),
          .fallback = "gzip", .choices = squashfs_compressors },
        { "level", "compression level", &type_integer, MEMBER(release, squashfs_level), .fallback = "6", .min = 1,
          .max = 22 },
        { "block_size", "bytes of a block, a power of two", &type_integer, MEMBER(release, squashfs_block_bytes),
          .fallback = "131072", .min = 4096, .max = 1048576 },
};
static const struct schema squashfs_part = SCHEMA_PART(squashfs_rows, "`squashfs`", "the root's file system");

static const struct schema_field initrd_rows[] = {
        { "compressor", "one that the release's kernel knows", &type_text, MEMBER(release, initrd_compressor),
          .fallback = "gzip", .choices = initrd_compressors },
        { "modules", "kernel modules of the initrd; dependencies are added", &type_texts,
          MEMBER(release, initrd_modules), .pattern = "^[A-Za-z0-9_-]+$", .pattern_means = "a module name" },
};
static const struct schema initrd_part = SCHEMA_PART(initrd_rows, "`initrd`", "the initial ramdisk");

static const struct schema_field bootloader_rows[] = {
        { "packages", "packages that are unpacked for the files below, not installed", &type_texts,
          MEMBER(release, bootloader.packages), .pattern = PACKAGE_PATTERN, .pattern_means = PACKAGE_MEANS },
        { "isolinux", "isolinux.bin", &type_path, MEMBER(release, bootloader.isolinux) },
        { "isolinux_modules", "folder of ldlinux.c32 and its like", &type_path,
          MEMBER(release, bootloader.isolinux_modules) },
        { "isohybrid_mbr", "isohdpfx.bin, boot code for USB sticks", &type_path,
          MEMBER(release, bootloader.isohybrid_mbr) },
        { "pxelinux", "pxelinux.0", &type_path, MEMBER(release, bootloader.pxelinux) },
        { "grub_efi_iso", "GRUB for UEFI whose prefix is /EFI/BOOT", &type_path,
          MEMBER(release, bootloader.grub_efi_iso) },
        { "grub_efi_net", "GRUB for UEFI from the network", &type_path, MEMBER(release, bootloader.grub_efi_net) },
        { "shim", "shim for Secure Boot", &type_path, MEMBER(release, bootloader.shim) },
        { "ipxe_bios", "iPXE for BIOS (undionly.kpxe)", &type_path, MEMBER(release, bootloader.ipxe_bios) },
        { "ipxe_efi", "iPXE for UEFI (ipxe.efi)", &type_path, MEMBER(release, bootloader.ipxe_efi) },
};
static const struct schema bootloader_part =
    SCHEMA_PART(bootloader_rows, "`bootloader`", "paths of boot loaders in their packages; absent: not offered");

static const struct schema_field release_rows[] = {
        { "description", "one line for lists", &type_text, MEMBER(release, description), .fallback = "" },
        { "arch", "architecture of the packages", &type_text, MEMBER(release, arch), .fallback = "x86_64",
          .pattern = "^[a-z0-9_]+$", .pattern_means = "an architecture" },
        { "releasever", "$releasever in URLs; $arch and $basearch come from `arch`", &type_text,
          MEMBER(release, releasever), .pattern = "^[A-Za-z0-9._-]+$", .pattern_means = "a version, as \"9\"" },
        { "repositories", "where packages come from", &type_tables, MEMBERS(release, repositories, repository_count),
          .required = true, .table = &repository_table },
        { "excludes", "packages that do not exist in any repository, named as in `repositories`", &type_texts,
          MEMBER(release, excludes), .pattern = GLOB_PATTERN, .pattern_means = GLOB_MEANS },
        { "modules", "streams of modules that are enabled, as `nginx:1.24`; of others the default stream is offered",
          &type_texts, MEMBER(release, modules), .pattern = "^[A-Za-z0-9._+-]+:[A-Za-z0-9._+-]+$",
          .pattern_means = "NAME:STREAM" },
        { "install_weak_deps", "what packages recommend is installed with them, as dnf's option of this name has it",
          &type_bool, MEMBER(release, install_weak_deps), .fallback = "false" },
        { "scriptlets_may_fail",
          "packages whose %post, %posttrans and trigger scriptlets may fail, as rpm lets them: a warning", &type_texts,
          MEMBER(release, may_fail), .pattern = GLOB_PATTERN, .pattern_means = GLOB_MEANS },
        { "package_names", "what roles' package names are called here; null: not needed", &type_renames,
          MEMBER(release, package_names) },
        { "service_names", "what roles' units are called here; null: does not exist", &type_renames,
          MEMBER(release, service_names) },
        { "kernel", "the kernel", &type_table, .table = &kernel_part },
        { "kernel_arguments", "arguments for every role", &type_texts, MEMBER(release, kernel_arguments),
          .pattern = ARGUMENT_PATTERN, .pattern_means = ARGUMENT_MEANS },
        { "squashfs", "the root's file system", &type_table, .table = &squashfs_part },
        { "rpmdb", "backend of the rpm database", &type_text, MEMBER(release, rpmdb), .fallback = "sqlite",
          .choices = databases },
        { "rpmdb_path",
          "directory of the database, to which /var/lib/rpm leads; absent: what the macros of the package rpm say "
          "(%_dbpath)",
          &type_path, MEMBER(release, rpmdb_path) },
        { "network", "what configures the network on a node", &type_text, MEMBER(release, network),
          .fallback = "systemd-networkd", .choices = network_writers },
        { "initrd", "the initial ramdisk", &type_table, .table = &initrd_part },
        { "bootloader", "paths of boot loaders in their packages; absent: not offered", &type_table,
          .table = &bootloader_part },
        { "variables", "release.variables.* in templates", &type_tree, MEMBER(release, variables) },
};
const struct schema release_schema = SCHEMA(release, release_rows, "a release file",
                                            "A release file: where packages come from, what the distribution is like.");
