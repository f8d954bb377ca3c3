// SPDX-License-Identifier: MIT
// Patterns that several tables ask for.
#ifndef KILN_PROFILE_TABLES_H
#define KILN_PROFILE_TABLES_H

#define OCTET "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
#define SUBNET_PATTERN OCTET "([.]" OCTET "){3}/([0-9]|[12][0-9]|3[0-2])"
#define NAME_PATTERN "^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"
#define NAME_MEANS "a name of lower-case letters, digits, `-` and `_`"
#define IDENTITY_PATTERN "^([a-z_][a-z0-9_.-]{0,30}[$]?|[0-9]{1,9})$"
#define IDENTITY_MEANS "a user or group name, or a number"
#define PACKAGE_PATTERN "^@?[A-Za-z0-9_][A-Za-z0-9_.+:~()/*?-]*$"
#define PACKAGE_MEANS "a package name or `@group`"
#define GLOB_PATTERN "^[]A-Za-z0-9_.+:~*?![^-]+$"
#define GLOB_MEANS "a glob over package names"
#define UNIT_PATTERN "^[A-Za-z0-9_.:@-]+$"
#define UNIT_MEANS "a unit name"
#define ARGUMENT_PATTERN "^[!-~]+$"
#define ARGUMENT_MEANS "one kernel argument without spaces"
#define SECRET_PATTERN "^[A-Za-z_][A-Za-z0-9_]{0,63}$"
#define SECRET_MEANS "a name of letters, digits and `_`, no digit first"
#define FILE_NAME_PATTERN "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
#define FILE_NAME_MEANS "a file name"

#endif
