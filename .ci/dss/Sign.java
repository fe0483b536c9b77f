// Signs PDF files with EU DSS: the other signer before or after a stamp.
//
//     java -cp 'JARS/*' Sign.java --key KEY.pem --chain CHAIN.pem < LIST
//
// LIST has a line a file: input, tab, output. The key is PKCS #8; the first certificate is the
// signer's, those after it lead to the root. The signatures are invisible approval signatures at PAdES-BASELINE-B.

import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.EncryptionAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;

public class Sign {
    private static void load(Path file, List<CertificateToken> chain) throws Exception {
        try (InputStream in = Files.newInputStream(file)) {
            for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                chain.add(new CertificateToken((X509Certificate) c));
            }
        }
    }

    public static void main(String[] args) throws Exception {
        String pem = null;
        List<CertificateToken> chain = new ArrayList<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            switch (args[i]) {
                case "--key": pem = Files.readString(Path.of(args[i + 1])); break;
                case "--chain": load(Path.of(args[i + 1]), chain); break;
                default: throw new IllegalArgumentException(args[i]);
            }
        }
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        EncryptionAlgorithm kind = EncryptionAlgorithm.forKey(chain.get(0).getPublicKey());
        PrivateKey key = KeyFactory.getInstance(kind == EncryptionAlgorithm.RSA ? "RSA" : "EC").generatePrivate(new PKCS8EncodedKeySpec(der));
        SignatureAlgorithm algorithm = SignatureAlgorithm.getAlgorithm(kind, DigestAlgorithm.SHA256);
        PAdESService service = new PAdESService(new CommonCertificateVerifier());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] f = line.split("\t");
            PAdESSignatureParameters p = new PAdESSignatureParameters();
            p.setSignatureLevel(SignatureLevel.PAdES_BASELINE_B);
            p.setEncryptionAlgorithm(kind);
            p.setDigestAlgorithm(DigestAlgorithm.SHA256);
            p.setSigningCertificate(chain.get(0));
            p.setCertificateChain(chain);
            p.bLevel().setSigningDate(new Date());
            DSSDocument source = new FileDocument(f[0]);
            Signature s = Signature.getInstance(algorithm.getJCEId());
            s.initSign(key);
            s.update(service.getDataToSign(source, p).getBytes());
            service.signDocument(source, p, new SignatureValue(algorithm, s.sign())).save(f[1]);
        }
    }
}
