// SPDX-License-Identifier: LGPL-2.1-or-later
// Java's own revocation checker (RFC 5280 6.1, RFC 6960), as any Java client has it. Lines in: CA file, certificate file, URL or "-" (the
// certificate's own), "nonce" or "plain", separated by tabs. A line out for each: good, revoked REASON, or the trouble.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.security.SecureRandom;
import java.security.cert.*;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

public class Revocation {
	static X509Certificate read(CertificateFactory factory, String path) throws Exception {
		try (FileInputStream in = new FileInputStream(path)) {
			return (X509Certificate) factory.generateCertificate(in);
		}
	}

	static Extension nonce() {
		byte[] value = new byte[34];
		new SecureRandom().nextBytes(value);
		value[0] = 4;
		value[1] = 32;
		return new Extension() {
			public String getId() { return "1.3.6.1.5.5.7.48.1.2"; }
			public boolean isCritical() { return false; }
			public byte[] getValue() { return value; }
			public void encode(java.io.OutputStream out) throws java.io.IOException {
				byte[] oid = { 6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2 };
				out.write(0x30);
				out.write(oid.length + 2 + value.length);
				out.write(oid);
				out.write(4);
				out.write(value.length);
				out.write(value);
			}
		};
	}

	static String check(CertificateFactory factory, String[] words) throws Exception {
		CertPathValidator validator = CertPathValidator.getInstance("PKIX");
		PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
		checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK, PKIXRevocationChecker.Option.ONLY_END_ENTITY));
		if (!words[2].equals("-"))
			checker.setOcspResponder(new URI(words[2]));
		if (words[3].equals("nonce"))
			checker.setOcspExtensions(List.of(nonce()));
		PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(read(factory, words[0]), null)));
		parameters.addCertPathChecker(checker);
		try {
			validator.validate(factory.generateCertPath(List.of(read(factory, words[1]))), parameters);
			return "good";
		} catch (CertPathValidatorException refused) {
			if (refused.getCause() instanceof CertificateRevokedException revoked)
				return "revoked " + revoked.getRevocationReason();
			return "trouble: " + refused.getMessage();
		}
	}

	public static void main(String[] arguments) throws Exception {
		CertificateFactory factory = CertificateFactory.getInstance("X.509");
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		for (String line = in.readLine(); line != null; line = in.readLine())
			System.out.println(check(factory, line.split("\t")));
	}
}
