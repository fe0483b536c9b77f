// Validates PDF/A files with veraPDF, each against the part and level it says it has, or all
// against one flavour, such as ua1.
//
//     java -cp 'JARS/*' [-Dflavour=FLAVOUR] Validate.java < LIST
//
// LIST has a path a line. One line a file comes out: path, tab, the flavour such as 2b, tab,
// "ok" or the rules broken. The exit status is 1 when any rule is broken.

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.TreeSet;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

public class Validate {
    public static void main(String[] args) throws Exception {
        java.util.logging.LogManager.getLogManager().reset(); // what matters is in the result
        VeraGreenfieldFoundryProvider.initialise();
        boolean bad = false;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String path = in.readLine(); path != null; path = in.readLine()) {
            String said;
            try {
                said = verdict(path);
            } catch (Exception e) { // one broken file must not hide the others
                said = "none\t" + e.toString().replace('\n', ' ');
            }
            bad |= !said.endsWith("\tok");
            System.out.println(path + "\t" + said);
        }
        System.exit(bad ? 1 : 0);
    }

    private static String verdict(String path) throws Exception {
        PDFAFlavour asked = PDFAFlavour.fromString(System.getProperty("flavour", ""));
        boolean any = asked == PDFAFlavour.NO_FLAVOUR;
        try (PDFAParser parser = any ? Foundries.defaultInstance().createParser(new File(path))
                : Foundries.defaultInstance().createParser(new File(path), asked)) {
            PDFAFlavour flavour = any ? parser.getFlavour() : asked;
            if (flavour == null || flavour == PDFAFlavour.NO_FLAVOUR) {
                return "none\tdoes not say that it is PDF/A";
            }
            PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false);
            ValidationResult result = validator.validate(parser);
            if (result.isCompliant()) {
                return flavour.getId() + "\tok";
            }
            TreeSet<String> broken = new TreeSet<>();
            for (TestAssertion a : result.getTestAssertions()) {
                if (a.getStatus() == TestAssertion.Status.FAILED) {
                    broken.add(a.getRuleId().getClause() + "-" + a.getRuleId().getTestNumber() + " " + a.getMessage());
                }
            }
            return flavour.getId() + "\t" + String.join("; ", broken).replace('\n', ' ');
        }
    }
}
