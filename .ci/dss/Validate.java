// Validates signed PDF files with EU DSS, the reference implementation of EN 319 102-1.
//
//     java -cp 'JARS/*' Validate.java [--detail FOLDER] --root ROOT.pem [--crl CRL.der]... < LIST
//
// LIST has a line a file: path, tab, number of signatures the file had before the stamp, tab,
// the level the stamp must have: B, T, LT or LTA. One line a file comes out: path, tab, "ok"
// or what is wrong. The exit status is 1 when anything is wrong.
//
// Nothing is fetched. The policy is the one that DSS ships, unchanged. The CRLs given are
// used at B and T alone: at LT and LTA the file itself has to hold all but ROOT.
//
// The newest signature is the stamp, which must be TOTAL_PASSED without an error, and with no
// warning (of changes, for example) but the two that specimen certificates without service
// addresses bring. Each of its timestamps must pass. Earlier signatures have other trust, so
// they must be whole: undecided for want of a trusted chain alone, right as bytes, and with
// no change after them but signing. FOLDER gets the reports that say why.

import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

public class Validate {
    // "The authority info access is not present", "The revocation info access is not present".
    private static final Set<String> SPECIMEN_WARNINGS = Set.of("BBB_XCV_AIA_PRES_ANS", "BBB_XCV_REVOC_PRES_ANS");

    private File root;
    private Path detail;
    private final List<byte[]> crls = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        Validate v = new Validate();
        for (int i = 0; i + 1 < args.length; i += 2) {
            switch (args[i]) {
                case "--root": v.root = new File(args[i + 1]); break;
                case "--crl": v.crls.add(Files.readAllBytes(Path.of(args[i + 1]))); break;
                case "--detail": v.detail = Path.of(args[i + 1]); break;
                default: throw new IllegalArgumentException(args[i]);
            }
        }
        boolean bad = false;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] f = line.split("\t");
            List<String> faults = new ArrayList<>();
            try {
                v.file(f[0], Integer.parseInt(f[1]), f[2], faults);
            } catch (RuntimeException | IOException e) { // one broken file must not hide the others
                faults.add(e.toString());
            }
            bad |= !faults.isEmpty();
            System.out.println(f[0] + "\t" + (faults.isEmpty() ? "ok" : String.join("; ", faults).replace('\n', ' ')));
        }
        System.exit(bad ? 1 : 0);
    }

    // A verifier of its own for each file, so that none profits from what another one holds.
    private CommonCertificateVerifier verifier(boolean withCrls) {
        CommonTrustedCertificateSource roots = new CommonTrustedCertificateSource();
        roots.addCertificate(DSSUtils.loadCertificate(root));
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(roots);
        verifier.setAIASource(null);
        if (withCrls) {
            InputStream[] streams = crls.stream().map(ByteArrayInputStream::new).toArray(InputStream[]::new);
            verifier.setCrlSource(new ExternalResourcesCRLSource(streams));
        }
        return verifier;
    }

    private void file(String path, int earlier, String level, List<String> faults) throws IOException {
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(new FileDocument(path));
        validator.setCertificateVerifier(verifier(level.equals("B") || level.equals("T")));
        Reports reports = validator.validateDocument();
        if (detail != null) {
            Path base = detail.resolve(path.replace('/', '_'));
            Files.writeString(Path.of(base + ".detail.xml"), reports.getXmlDetailedReport());
            Files.writeString(Path.of(base + ".data.xml"), reports.getXmlDiagnosticData());
        }
        SimpleReport report = reports.getSimpleReport();
        List<String> ids = report.getSignatureIdList();
        if (ids.size() != earlier + 1) {
            faults.add(ids.size() + " signatures, not " + (earlier + 1));
            return;
        }
        for (String id : ids.subList(0, earlier)) {
            earlier(report, reports.getDiagnosticData().getSignatureById(id), faults);
        }
        stamp(report, ids.get(earlier), "PAdES-BASELINE-" + level, faults);
    }

    private static void stamp(SimpleReport report, String id, String level, List<String> faults) {
        if (!report.getSignatureFormat(id).toString().equals(level)) {
            faults.add(report.getSignatureFormat(id) + ", not " + level);
        }
        if (report.getIndication(id) != Indication.TOTAL_PASSED) {
            faults.add(report.getIndication(id) + " " + report.getSubIndication(id));
        }
        messages(report, id, faults);
        report.getSignatureTimestamps(id).forEach(t -> {
            if (t.getIndication() != Indication.PASSED) {
                faults.add("timestamp " + t.getIndication() + " " + t.getSubIndication());
            }
            messages(report, t.getId(), faults);
        });
    }

    private static void earlier(SimpleReport report, SignatureWrapper sig, List<String> faults) {
        Indication indication = report.getIndication(sig.getId());
        SubIndication why = report.getSubIndication(sig.getId());
        if (indication != Indication.TOTAL_PASSED && why != SubIndication.NO_CERTIFICATE_CHAIN_FOUND) {
            faults.add("earlier " + indication + " " + why);
        }
        if (!sig.isSignatureIntact() || !sig.isSignatureValid() || !sig.isSignatureByteRangeValid()) {
            faults.add("earlier signature is broken");
        }
        if (!sig.getPdfUndefinedChanges().isEmpty() || !sig.getPdfAnnotationChanges().isEmpty()
                || !sig.getPdfPageDifferenceConcernedPages().isEmpty()) {
            faults.add("earlier signature: changes that are no signing");
        }
    }

    private static void messages(SimpleReport report, String id, List<String> faults) {
        for (Message m : report.getAdESValidationErrors(id)) {
            faults.add(m.getValue());
        }
        for (Message m : report.getAdESValidationWarnings(id)) {
            if (!SPECIMEN_WARNINGS.contains(m.getKey())) {
                faults.add("warning: " + m.getValue());
            }
        }
    }
}
