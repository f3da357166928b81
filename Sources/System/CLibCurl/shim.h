#pragma once
// libcurl's option and information calls are variadic; Swift sees one typed face per argument kind.
#include <curl/curl.h>

typedef size_t (*curl_shim_transfer_callback)(char *buffer, size_t size, size_t count, void *context);

static inline CURLcode curl_shim_set_long(CURL *handle, CURLoption option, long value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode curl_shim_set_offset(CURL *handle, CURLoption option, curl_off_t value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode curl_shim_set_string(CURL *handle, CURLoption option, const char *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode curl_shim_set_pointer(CURL *handle, CURLoption option, void *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode curl_shim_set_list(CURL *handle, CURLoption option, struct curl_slist *value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode curl_shim_set_callback(CURL *handle, CURLoption option, curl_shim_transfer_callback value) { return curl_easy_setopt(handle, option, value); }
static inline CURLcode curl_shim_get_long(CURL *handle, CURLINFO info, long *value) { return curl_easy_getinfo(handle, info, value); }
static inline CURLcode curl_shim_get_pointer(CURL *handle, CURLINFO info, void **value) { return curl_easy_getinfo(handle, info, value); }
static inline CURLMcode curl_shim_multi_set_long(CURLM *multi, CURLMoption option, long value) { return curl_multi_setopt(multi, option, value); }
typedef int (*curl_shim_seek_callback)(void *context, curl_off_t offset, int origin);

static inline CURLcode curl_shim_set_seek(CURL *handle, curl_shim_seek_callback callback, void *context) {
    CURLcode result = curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, callback);
    return result == CURLE_OK ? curl_easy_setopt(handle, CURLOPT_SEEKDATA, context) : result;
}

/// Hands libcurl a copy of `length` bytes, as the options for certificates in memory want them.
static inline CURLcode curl_shim_set_blob(CURL *handle, CURLoption option, const void *bytes, size_t length) {
    struct curl_blob blob = { (void *)bytes, length, CURL_BLOB_COPY };
    return curl_easy_setopt(handle, option, &blob);
}
