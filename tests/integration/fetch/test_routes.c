/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of fetching: URLs and the border of GET, classes of addresses, header fields, whose turn it is, which
 * proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "fetch/address.h"
#include "fetch/proxy.h"
#include "fetch/queue.h"
#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- addresses ---- */

static enum address_class class_of(const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in4.sin_addr) == 1)
		return address_class_of((struct sockaddr *)&in4);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return address_class_of((struct sockaddr *)&in6);
}

static const struct {
	const char *text;
	enum address_class class;
} addresses[] = {
	{ "0.0.0.0", ADDRESS_UNSPECIFIED },
	{ "0.255.255.255", ADDRESS_UNSPECIFIED },
	{ "1.0.0.0", ADDRESS_PUBLIC },
	{ "9.255.255.255", ADDRESS_PUBLIC },
	{ "10.0.0.0", ADDRESS_PRIVATE },
	{ "10.255.255.255", ADDRESS_PRIVATE },
	{ "11.0.0.0", ADDRESS_PUBLIC },
	{ "100.63.255.255", ADDRESS_PUBLIC },
	{ "100.64.0.0", ADDRESS_PRIVATE },
	{ "100.127.255.255", ADDRESS_PRIVATE },
	{ "100.128.0.0", ADDRESS_PUBLIC },
	{ "126.255.255.255", ADDRESS_PUBLIC },
	{ "127.0.0.1", ADDRESS_LOOPBACK },
	{ "127.255.255.255", ADDRESS_LOOPBACK },
	{ "128.0.0.0", ADDRESS_PUBLIC },
	{ "169.253.255.255", ADDRESS_PUBLIC },
	{ "169.254.169.254", ADDRESS_LINK_LOCAL },
	{ "169.255.0.0", ADDRESS_PUBLIC },
	{ "172.15.255.255", ADDRESS_PUBLIC },
	{ "172.16.0.0", ADDRESS_PRIVATE },
	{ "172.31.255.255", ADDRESS_PRIVATE },
	{ "172.32.0.0", ADDRESS_PUBLIC },
	{ "192.0.0.1", ADDRESS_RESERVED },
	{ "192.0.2.1", ADDRESS_RESERVED },
	{ "192.167.255.255", ADDRESS_PUBLIC },
	{ "192.168.0.0", ADDRESS_PRIVATE },
	{ "192.169.0.0", ADDRESS_PUBLIC },
	{ "198.17.255.255", ADDRESS_PUBLIC },
	{ "198.18.0.0", ADDRESS_RESERVED },
	{ "198.20.0.0", ADDRESS_PUBLIC },
	{ "223.255.255.255", ADDRESS_PUBLIC },
	{ "224.0.0.0", ADDRESS_MULTICAST },
	{ "239.255.255.255", ADDRESS_MULTICAST },
	{ "240.0.0.0", ADDRESS_RESERVED },
	{ "255.255.255.255", ADDRESS_RESERVED },
	{ "::", ADDRESS_UNSPECIFIED },
	{ "::1", ADDRESS_LOOPBACK },
	{ "::ffff:127.0.0.1", ADDRESS_LOOPBACK },
	{ "::ffff:8.8.8.8", ADDRESS_PUBLIC },
	{ "::10.0.0.1", ADDRESS_PRIVATE },
	{ "64:ff9b::7f00:1", ADDRESS_LOOPBACK },
	{ "64:ff9b::808:808", ADDRESS_PUBLIC },
	{ "64:ff9b:1::808:808", ADDRESS_PRIVATE },
	{ "100::1", ADDRESS_RESERVED },
	{ "2001::1", ADDRESS_RESERVED },
	{ "2001:1ff:ffff::1", ADDRESS_RESERVED },
	{ "2001:200::1", ADDRESS_PUBLIC },
	{ "2001:db8::1", ADDRESS_RESERVED },
	{ "2002:7f00:1::", ADDRESS_LOOPBACK },
	{ "2002:c0a8:101::1", ADDRESS_PRIVATE },
	{ "2606:4700::1", ADDRESS_PUBLIC },
	{ "3fff:ffff::1", ADDRESS_PUBLIC },
	{ "4000::1", ADDRESS_RESERVED },
	{ "fbff::1", ADDRESS_RESERVED },
	{ "fc00::1", ADDRESS_PRIVATE },
	{ "fdff:ffff::1", ADDRESS_PRIVATE },
	{ "fe7f::1", ADDRESS_RESERVED },
	{ "fe80::1", ADDRESS_LINK_LOCAL },
	{ "febf::1", ADDRESS_LINK_LOCAL },
	{ "fec0::1", ADDRESS_PRIVATE },
	{ "ff02::1", ADDRESS_MULTICAST },
};

static void tells_classes_of_addresses_at_their_borders(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++)
		if (class_of(addresses[i].text) != addresses[i].class)
			fail_msg("%s is %s", addresses[i].text, address_class_name(class_of(addresses[i].text)));
}

static void takes_other_families_for_reserved(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)state;
	assert_int_equal(address_class_of((struct sockaddr *)&un), ADDRESS_RESERVED);
}

static void tells_hosts_that_are_addresses(void **state)
{
	enum address_class class;

	(void)state;
	assert_true(address_class_of_host(&class, "localhost") && class == ADDRESS_LOOPBACK);
	assert_true(address_class_of_host(&class, "a.LocalHost.") && class == ADDRESS_LOOPBACK);
	assert_true(address_class_of_host(&class, "10.0.0.1") && class == ADDRESS_PRIVATE);
	assert_true(address_class_of_host(&class, "[fe80::1%25eth0]") && class == ADDRESS_LINK_LOCAL);
	assert_true(address_class_of_host(&class, "[2606:4700::1]") && class == ADDRESS_PUBLIC);
	assert_false(address_class_of_host(&class, "notlocalhost"));
	assert_false(address_class_of_host(&class, "10.example.org"));
}

/* ---- whose turn it is ---- */

static void takes_turns_between_lanes(void **state)
{
	struct queue queue = { .per_lane = 2, .total = 3 };
	struct queue_item slow[4] = { { 0 } }, quick[2] = { { 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(slow); i++)
		assert_true(queue_add(&queue, &slow[i], "slow", false));
	for (size_t i = 0; i < COUNT(quick); i++)
		assert_true(queue_add(&queue, &quick[i], "quick", false));
	assert_ptr_equal(queue_next(&queue), &slow[0]);
	assert_ptr_equal(queue_next(&queue), &quick[0]);
	assert_ptr_equal(queue_next(&queue), &slow[1]);
	assert_null(queue_next(&queue)); /* three in all */
	queue_leave(&queue, &quick[0]);
	assert_ptr_equal(queue_next(&queue), &quick[1]);
	queue_leave(&queue, &quick[1]);
	assert_null(queue_next(&queue)); /* two of "slow" are running: the third waits, though there is room */
	queue_leave(&queue, &slow[1]);
	assert_ptr_equal(queue_next(&queue), &slow[2]);
	for (size_t i = 0; i < COUNT(slow); i++)
		queue_leave(&queue, &slow[i]);
	assert_null(queue_next(&queue));
	assert_int_equal(queue.running, 0);
	for (size_t i = 0; i < QUEUE_BUCKETS; i++)
		assert_null(queue.bucket[i]);
}

static void lets_the_urgent_go_first(void **state)
{
	struct queue queue = { .per_lane = 1, .total = 9 };
	struct queue_item a = { 0 }, b = { 0 }, urgent = { 0 };

	(void)state;
	assert_true(queue_add(&queue, &a, "x", false) && queue_add(&queue, &b, "x", false) &&
		    queue_add(&queue, &urgent, "x", true));
	assert_ptr_equal(queue_next(&queue), &urgent);
	queue_leave(&queue, &urgent);
	assert_ptr_equal(queue_next(&queue), &a);
	queue_leave(&queue, &b); /* from the middle of waiting */
	queue_leave(&queue, &b); /* twice is once */
	queue_leave(&queue, &a);
	assert_null(queue_next(&queue));
	assert_null(queue.first_ready);
	assert_null(queue.last_ready);
}

/* ---- which proxy ---- */

static struct url vetted(const char *text)
{
	struct url url;
	const char *why = "";

	if (!url_vet(&url, text, strlen(text), &why))
		fail_msg("%s: %s", text, why);
	return url;
}

static void chooses_the_proxy_of_a_url(void **state)
{
	static const struct {
		const char *url, *except, *proxy;
	} rows[] = {
		{ "http://a.example/", NULL, "H" },
		{ "https://a.example/", NULL, "A" },
		{ "http://a.example/", "*", NULL },
		{ "http://a.example/", "b.example", "H" },
		{ "http://a.example/", "b.example, a.example", NULL },
		{ "http://x.a.example/", "a.example", NULL },
		{ "http://x.a.example/", ".A.Example", NULL },
		{ "http://xa.example/", "a.example", "H" },
		{ "http://10.1.2.3/", "10.0.0.0/8", NULL },
		{ "http://11.1.2.3/", "10.0.0.0/8", "H" },
		{ "http://10.1.2.3/", "10.1.2.3", NULL },
		{ "http://10.1.2.3/", "10.1.2.0/23", NULL },
		{ "http://10.1.4.3/", "10.1.2.0/23", "H" },
		{ "http://10.1.2.3/", "10.0.0.0/99", "H" },
		{ "http://10.1.2.3/", "10.0.0.0/", "H" },
		{ "http://[2001:db8::1]/", "2001:db8::/32", NULL },
		{ "http://[2001:db8::1]/", "[2001:db8::1]", NULL },
		{ "http://[2001:db9::1]/", "2001:db8::/32", "H" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fetch_proxies proxies = { "H", "", "A", rows[i].except };
		struct url url = vetted(rows[i].url);
		const char *proxy = proxy_for(&proxies, &url);

		if ((proxy == NULL) != (rows[i].proxy == NULL) || (proxy && strcmp(proxy, rows[i].proxy) != 0))
			fail_msg("%s except %s: %s", rows[i].url, rows[i].except, proxy ? proxy : "none");
	}
	assert_null(proxy_for(NULL, &(struct url){ 0 }));
}

static void shows_no_password_of_a_proxy(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(proxy_text(text, sizeof(text), "http://user:s3cret@proxy.example:3128/"), "proxy.example:3128");
	assert_string_equal(proxy_text(text, sizeof(text), "http://user:s@cret@proxy.example"), "proxy.example");
	assert_string_equal(proxy_text(text, sizeof(text), "socks5h://[::1]:1080"), "[::1]:1080");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_classes_of_addresses_at_their_borders),
		cmocka_unit_test(takes_other_families_for_reserved),
		cmocka_unit_test(tells_hosts_that_are_addresses),
		cmocka_unit_test(takes_turns_between_lanes),
		cmocka_unit_test(lets_the_urgent_go_first),
		cmocka_unit_test(chooses_the_proxy_of_a_url),
		cmocka_unit_test(shows_no_password_of_a_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
