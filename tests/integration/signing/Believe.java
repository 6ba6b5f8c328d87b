// SPDX-License-Identifier: LGPL-2.1-or-later
// Java's PKIX revocation checker, given responses instead of fetching them. Lines in: CA file, certificate file, response file,
// separated by tabs. A line out for each: good, revoked REASON, or the trouble.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.*;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

public class Believe {
	static X509Certificate read(CertificateFactory factory, String path) throws Exception {
		try (FileInputStream in = new FileInputStream(path)) {
			return (X509Certificate) factory.generateCertificate(in);
		}
	}

	static String check(CertificateFactory factory, String[] words) throws Exception {
		X509Certificate leaf = read(factory, words[1]);
		CertPathValidator validator = CertPathValidator.getInstance("PKIX");
		PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
		checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK, PKIXRevocationChecker.Option.ONLY_END_ENTITY));
		checker.setOcspResponses(Map.of(leaf, Files.readAllBytes(Path.of(words[2]))));
		PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(read(factory, words[0]), null)));
		parameters.addCertPathChecker(checker);
		try {
			validator.validate(factory.generateCertPath(List.of(leaf)), parameters);
			return "good";
		} catch (CertPathValidatorException refused) {
			if (refused.getCause() instanceof CertificateRevokedException revoked)
				return "revoked " + revoked.getRevocationReason();
			return "trouble: " + refused;
		}
	}

	public static void main(String[] arguments) throws Exception {
		CertificateFactory factory = CertificateFactory.getInstance("X.509");
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		for (String line = in.readLine(); line != null; line = in.readLine())
			System.out.println(check(factory, line.split("\t")));
	}
}
