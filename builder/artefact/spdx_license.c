// SPDX-License-Identifier: MIT
#include "artefact/spdx_license.h"

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 32 };

// Of the list's version 3.25: those that packages of distributions have, deprecated ones included. Sorted.
static const char *const licences[] = { "0BSD",
                                        "AFL-2.0",
                                        "AFL-2.1",
                                        "AFL-3.0",
                                        "AGPL-1.0",
                                        "AGPL-3.0",
                                        "AGPL-3.0-only",
                                        "AGPL-3.0-or-later",
                                        "AML",
                                        "APSL-2.0",
                                        "ASWF-Digital-Assets-1.0",
                                        "Adobe-Utopia",
                                        "Apache-1.0",
                                        "Apache-1.1",
                                        "Apache-2.0",
                                        "Artistic-1.0",
                                        "Artistic-1.0-Perl",
                                        "Artistic-2.0",
                                        "BSD-1-Clause",
                                        "BSD-2-Clause",
                                        "BSD-2-Clause-Patent",
                                        "BSD-2-Clause-Views",
                                        "BSD-3-Clause",
                                        "BSD-3-Clause-Attribution",
                                        "BSD-3-Clause-Clear",
                                        "BSD-3-Clause-LBNL",
                                        "BSD-4-Clause",
                                        "BSD-4-Clause-UC",
                                        "BSD-4.3RENO",
                                        "BSD-4.3TAHOE",
                                        "BSD-Source-Code",
                                        "BSL-1.0",
                                        "Beerware",
                                        "Bitstream-Charter",
                                        "Bitstream-Vera",
                                        "BlueOak-1.0.0",
                                        "Boehm-GC",
                                        "CC-BY-1.0",
                                        "CC-BY-2.0",
                                        "CC-BY-2.5",
                                        "CC-BY-3.0",
                                        "CC-BY-4.0",
                                        "CC-BY-SA-1.0",
                                        "CC-BY-SA-2.0",
                                        "CC-BY-SA-2.5",
                                        "CC-BY-SA-3.0",
                                        "CC-BY-SA-4.0",
                                        "CC-PDDC",
                                        "CC0-1.0",
                                        "CDDL-1.0",
                                        "CDDL-1.1",
                                        "CECILL-2.0",
                                        "CECILL-2.1",
                                        "CECILL-B",
                                        "CECILL-C",
                                        "CPAL-1.0",
                                        "CPL-1.0",
                                        "ClArtistic",
                                        "Cronyx",
                                        "CrystalStacker",
                                        "DOC",
                                        "ECL-2.0",
                                        "EPL-1.0",
                                        "EPL-2.0",
                                        "EUPL-1.1",
                                        "EUPL-1.2",
                                        "FSFAP",
                                        "FSFUL",
                                        "FSFULLR",
                                        "FSFULLRWD",
                                        "FTL",
                                        "GD",
                                        "GFDL-1.1",
                                        "GFDL-1.1-only",
                                        "GFDL-1.1-or-later",
                                        "GFDL-1.2",
                                        "GFDL-1.2-only",
                                        "GFDL-1.2-or-later",
                                        "GFDL-1.3",
                                        "GFDL-1.3-no-invariants-only",
                                        "GFDL-1.3-no-invariants-or-later",
                                        "GFDL-1.3-only",
                                        "GFDL-1.3-or-later",
                                        "GPL-1.0",
                                        "GPL-1.0+",
                                        "GPL-1.0-only",
                                        "GPL-1.0-or-later",
                                        "GPL-2.0",
                                        "GPL-2.0+",
                                        "GPL-2.0-only",
                                        "GPL-2.0-or-later",
                                        "GPL-3.0",
                                        "GPL-3.0+",
                                        "GPL-3.0-only",
                                        "GPL-3.0-or-later",
                                        "HPND",
                                        "HPND-sell-variant",
                                        "ICU",
                                        "IJG",
                                        "IPL-1.0",
                                        "ISC",
                                        "ImageMagick",
                                        "Info-ZIP",
                                        "Intel",
                                        "JSON",
                                        "Kastrup",
                                        "LGPL-2.0",
                                        "LGPL-2.0+",
                                        "LGPL-2.0-only",
                                        "LGPL-2.0-or-later",
                                        "LGPL-2.1",
                                        "LGPL-2.1+",
                                        "LGPL-2.1-only",
                                        "LGPL-2.1-or-later",
                                        "LGPL-3.0",
                                        "LGPL-3.0+",
                                        "LGPL-3.0-only",
                                        "LGPL-3.0-or-later",
                                        "LGPLLR",
                                        "LPL-1.02",
                                        "LPPL-1.3a",
                                        "LPPL-1.3c",
                                        "Latex2e",
                                        "Leptonica",
                                        "Libpng",
                                        "Linux-man-pages-copyleft",
                                        "MIT",
                                        "MIT-0",
                                        "MIT-CMU",
                                        "MIT-Modern-Variant",
                                        "MIT-feh",
                                        "MIT-open-group",
                                        "MPL-1.0",
                                        "MPL-1.1",
                                        "MPL-2.0",
                                        "MPL-2.0-no-copyleft-exception",
                                        "MS-PL",
                                        "MS-RL",
                                        "Minpack",
                                        "MirOS",
                                        "MulanPSL-2.0",
                                        "NAIST-2003",
                                        "NCSA",
                                        "NPL-1.1",
                                        "NTP",
                                        "Net-SNMP",
                                        "NetCDF",
                                        "OFL-1.0",
                                        "OFL-1.1",
                                        "OGC-1.0",
                                        "OLDAP-2.8",
                                        "OSL-2.1",
                                        "OSL-3.0",
                                        "OpenSSL",
                                        "PHP-3.0",
                                        "PHP-3.01",
                                        "PSF-2.0",
                                        "Plexus",
                                        "PostgreSQL",
                                        "Python-2.0",
                                        "Python-2.0.1",
                                        "QPL-1.0",
                                        "RSA-MD",
                                        "Ruby",
                                        "SGI-B-2.0",
                                        "SISSL",
                                        "SMLNJ",
                                        "SPL-1.0",
                                        "SSH-OpenSSH",
                                        "SSH-short",
                                        "Sendmail",
                                        "Sleepycat",
                                        "Spencer-86",
                                        "Spencer-94",
                                        "Spencer-99",
                                        "SunPro",
                                        "TCL",
                                        "TCP-wrappers",
                                        "TMate",
                                        "UPL-1.0",
                                        "Unicode-3.0",
                                        "Unicode-DFS-2015",
                                        "Unicode-DFS-2016",
                                        "Unicode-TOU",
                                        "Unlicense",
                                        "VSL-1.0",
                                        "Vim",
                                        "W3C",
                                        "W3C-19980720",
                                        "W3C-20150513",
                                        "WTFPL",
                                        "X11",
                                        "X11-distribute-modifications-variant",
                                        "XFree86-1.1",
                                        "Xerox",
                                        "Xnet",
                                        "ZPL-2.0",
                                        "ZPL-2.1",
                                        "Zend-2.0",
                                        "Zlib",
                                        "blessing",
                                        "bzip2-1.0.6",
                                        "curl",
                                        "dvipdfm",
                                        "gSOAP-1.3b",
                                        "gnuplot",
                                        "iMatix",
                                        "libpng-2.0",
                                        "libselinux-1.0",
                                        "libtiff",
                                        "mpi-permissive",
                                        "mpich2",
                                        "psutils",
                                        "snprintf",
                                        "xlock",
                                        "zlib-acknowledgement" };

static const char *const exceptions[] = { "Autoconf-exception-2.0",
                                          "Autoconf-exception-3.0",
                                          "Autoconf-exception-generic",
                                          "Bison-exception-2.2",
                                          "Bootloader-exception",
                                          "CLISP-exception-2.0",
                                          "Classpath-exception-2.0",
                                          "FLTK-exception",
                                          "Font-exception-2.0",
                                          "GCC-exception-2.0",
                                          "GCC-exception-3.1",
                                          "GPL-3.0-linking-exception",
                                          "GStreamer-exception-2005",
                                          "LGPL-3.0-linking-exception",
                                          "LLVM-exception",
                                          "LZMA-exception",
                                          "Libtool-exception",
                                          "Linux-syscall-note",
                                          "OCaml-LGPL-linking-exception",
                                          "OpenJDK-assembly-exception-1.0",
                                          "PS-or-PDF-font-exception-20170817",
                                          "Qt-LGPL-exception-1.1",
                                          "Texinfo-exception",
                                          "UBDL-exception",
                                          "WxWindows-exception-3.1",
                                          "eCos-exception-2.0",
                                          "freertos-exception-2.0",
                                          "gnu-javamail-exception",
                                          "mif-exception",
                                          "openvpn-openssl-exception",
                                          "u-boot-exception-2.0" };

// A word of the text: what is between blanks and parentheses.
struct word {
        const char *text;
        size_t size;
};

static struct word next_word(const char **at) {
        *at += strspn(*at, " ");
        struct word word = { *at, strcspn(*at, " ()") };
        bool is_parenthesis = **at == '(' || **at == ')';
        if (is_parenthesis)
                word.size = 1;
        *at += word.size;
        return word;
}

static bool word_is(const struct word *word, const char *text) {
        return strlen(text) == word->size && memcmp(word->text, text, word->size) == 0;
}

static bool word_is_one_of(const struct word *word, const char *const *list, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (word_is(word, list[i]))
                        return true;
        return false;
}

// "+" is for later versions, where the identifier does not say so itself.
static bool is_licence(struct word word) {
        if (word_is_one_of(&word, licences, lengthof(licences)))
                return true;
        bool is_later = word.size > 1 && word.text[word.size - 1] == '+';
        word.size -= is_later;
        return is_later && word_is_one_of(&word, licences, lengthof(licences));
}

static bool take_expression(const char **at, int depth);

static bool take_term(const char **at, int depth) {
        struct word word = next_word(at);
        if (word_is(&word, "(")) {
                if (depth == DEPTH_MAX || !take_expression(at, depth + 1))
                        return false;
                struct word end = next_word(at);
                return word_is(&end, ")");
        }
        if (!is_licence(word))
                return false;
        const char *behind = *at;
        struct word with = next_word(&behind);
        if (!word_is(&with, "WITH"))
                return true;
        struct word exception = next_word(&behind);
        *at = behind;
        return word_is_one_of(&exception, exceptions, lengthof(exceptions));
}

static bool take_expression(const char **at, int depth) {
        for (;;) {
                if (!take_term(at, depth))
                        return false;
                const char *behind = *at;
                struct word operator= next_word(&behind);
                if (!word_is(&operator, "AND") && !word_is(&operator, "OR"))
                        return true;
                *at = behind;
        }
}

bool spdx_expression_is_valid(const char *text) {
        assert(text);
        const char *at = text;
        return take_expression(&at, 0) && at[strspn(at, " ")] == '\0';
}
