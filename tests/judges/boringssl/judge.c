// BoringSSL's X509_verify_cert as Envoy's default validator calls it for a client certificate
// (source/common/tls/cert_validator/default_validator.cc: initializeSslContexts, doVerifyCertChain).
//
// The protocol is at the head of tests/support/verifiers.rs. The class of a refusal is BoringSSL's error number,
// `unreadable` for a certificate or CRL it cannot parse, or `key` for a leaf with a public key it cannot decode.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

static int nibble(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// Decodes hex in place; the result is half as long.
static long unhex(char *text) {
  long length = 0;
  for (char *in = text; in[0] && in[1]; in += 2) {
    text[length++] = (char)(nibble(in[0]) << 4 | nibble(in[1]));
  }
  return length;
}

// Reads one element; nothing may follow it.
static X509 *read_cert(char *hex) {
  const uint8_t *at = (const uint8_t *)hex;
  long length = unhex(hex);
  X509 *cert = d2i_X509(NULL, &at, length);
  return cert && at == (const uint8_t *)hex + length ? cert : NULL;
}

static X509_CRL *read_crl(char *hex) {
  const uint8_t *at = (const uint8_t *)hex;
  long length = unhex(hex);
  X509_CRL *crl = d2i_X509_CRL(NULL, &at, length);
  return crl && at == (const uint8_t *)hex + length ? crl : NULL;
}

// What is read for one question.
struct question {
  int64_t at;
  X509 *leaf;
  STACK_OF(X509) *sent;
  X509_STORE *store;
};

// Calls `take` with each item of a list joined by commas; `-` has none.
static int each(char *list, int (*take)(struct question *, char *), struct question *asked) {
  if (strcmp(list, "-") == 0) {
    return 1;
  }
  for (char *rest, *item = strtok_r(list, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
    if (!take(asked, item)) {
      return 0;
    }
  }
  return 1;
}

static int take_sent(struct question *asked, char *hex) {
  X509 *cert = read_cert(hex);
  return cert && sk_X509_push(asked->sent, cert);
}

static int take_root(struct question *asked, char *hex) {
  X509 *cert = read_cert(hex);
  int added = cert && X509_STORE_add_cert(asked->store, cert);
  X509_free(cert);
  return added;
}

static int take_crl(struct question *asked, char *hex) {
  X509_CRL *crl = read_crl(hex);
  int added = crl && X509_STORE_add_crl(asked->store, crl);
  X509_CRL_free(crl);
  X509_STORE_set_flags(asked->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return added;
}

// Envoy hands over the leaf as the first of the certificates that came with it.
static int read_question(struct question *asked, char *line) {
  char *rest, *word[5] = {strtok_r(line, " \n", &rest)};
  for (int i = 1; i < 5; i++) {
    word[i] = strtok_r(NULL, " \n", &rest);
  }
  if (!word[4]) {
    fprintf(stderr, "a line of five words is needed\n");
    exit(1);
  }
  asked->at = strtoll(word[0], NULL, 10);
  asked->leaf = read_cert(word[1]);
  X509_STORE_set_flags(asked->store, X509_V_FLAG_PARTIAL_CHAIN);
  if (!asked->leaf || !sk_X509_push(asked->sent, asked->leaf)) {
    return 0;
  }
  return each(word[2], take_sent, asked) && each(word[3], take_root, asked) && each(word[4], take_crl, asked);
}

static void judge(struct question *asked) {
  if (!X509_get0_pubkey(asked->leaf)) {
    puts("refused key unable to decode the public key");
    return;
  }
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  if (!ctx || !X509_STORE_CTX_init(ctx, asked->store, asked->leaf, asked->sent) ||
      !X509_STORE_CTX_set_default(ctx, "ssl_client")) {
    fprintf(stderr, "no context\n");
    exit(1);
  }
  X509_VERIFY_PARAM_set_time_posix(X509_STORE_CTX_get0_param(ctx), asked->at);
  if (X509_verify_cert(ctx) == 1) {
    puts("ok");
  } else {
    int error = X509_STORE_CTX_get_error(ctx);
    printf("refused %d %s\n", error, X509_verify_cert_error_string(error));
  }
  X509_STORE_CTX_free(ctx);
}

int main(void) {
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    struct question asked = {0, NULL, sk_X509_new_null(), X509_STORE_new()};
    if (read_question(&asked, line)) {
      judge(&asked);
    } else {
      puts("refused unreadable DECODE_ERROR");
    }
    sk_X509_pop_free(asked.sent, X509_free);
    X509_STORE_free(asked.store);
    fflush(stdout);
  }
  free(line);
  return 0;
}
