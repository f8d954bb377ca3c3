// SPDX-License-Identifier: MIT
// s3://BUCKET/PREFIX: an object store of Amazon's, or one that speaks as it does (MinIO, Ceph, Garage). As the AWS
// command line has it, the environment says the rest:
//
//     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY    whose requests these are; both are needed
//     AWS_SESSION_TOKEN                           of credentials for a while
//     AWS_REGION, or AWS_DEFAULT_REGION           else us-east-1
//     AWS_ENDPOINT_URL                            else https://s3.REGION.amazonaws.com
//
// The prefix is taken as it stands, byte for byte: it is no URL, and a % in it is a %.
//
// Requests are signed as Amazon's "Signature Version 4" has it, but for their bodies: contents have digests, and
// entries signatures of their own.
#ifndef KILN_REMOTE_S3_H
#define KILN_REMOTE_S3_H

#include <stdbool.h>

#include "base/err.h"

// All NULL: this is no object store.
struct s3 {
        char *provider;    // "aws:amz:REGION:s3", as CURLOPT_AWS_SIGV4 wants it
        char *credentials; // "ID:SECRET"
        char *token;       // a header, or NULL
};

bool s3_is_url(const char *url);
// `*ret_url` is where objects lie below, by HTTP, with the bucket in the path; heap. USAGE says what is missing.
must_check bool s3_open(const char *url, struct s3 *ret, char **ret_url, struct err *err);
void s3_release(struct s3 *s3); // wipes the secret

#endif
