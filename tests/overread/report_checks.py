"""Whole reports with a mistake of their own, and sound ones: what checks without an image must tell apart."""

WRONG = {
    "side in the impression": "FINDINGS: There is a 2.4 cm nodule in the right upper lobe. CT is recommended.\n"
    "IMPRESSION: Left upper lobe nodule. CT recommended.",
    "side under another name": "FINDINGS: Right lower lobe consolidation with air bronchograms.\n"
    "IMPRESSION: Left lower lobe pneumonia.",
    "side of an effusion": "The heart is enlarged. Moderate left pleural effusion.\nIMPRESSION: Moderate right effusion.",
    "side of a fracture": "FINDINGS: Acute fractures of the left 5th and 6th ribs. No pneumothorax.\n"
    "IMPRESSION: Right rib fractures.",
    "lobe": "FINDINGS: Consolidation in the right upper lobe.\nIMPRESSION: Right lower lobe consolidation.",
    "denied in the impression": "FINDINGS: Small bilateral pleural effusions.\nIMPRESSION: No pleural effusion.",
    "denied in the body": "FINDINGS: No pneumothorax. Lungs are clear.\nIMPRESSION: Small left pneumothorax. Dr. Lee was called.",
    "clear lungs and pneumonia": "FINDINGS: The heart is normal. The lungs are clear.\nIMPRESSION: Right lower lobe pneumonia.",
    "clear lungs and a mass": "FINDINGS: Lungs are clear bilaterally. No effusion.\nIMPRESSION: 4 cm right hilar mass, CT recommended.",
    "template left in": "FINDINGS: No pneumothorax. There is a moderate right pneumothorax with collapse. Heart normal.\n"
    "IMPRESSION: Moderate right pneumothorax, phoned to the ward.",
    "size": "FINDINGS: 8 mm nodule in the left lower lobe.\nIMPRESSION: 8 cm nodule in the left lower lobe. CT advised.",
    "normal impression of a pneumothorax": "FINDINGS: Left apical pneumothorax.\nIMPRESSION: No acute cardiopulmonary process.",
    "pneumothorax left out": "FINDINGS: Moderate right pneumothorax. Cardiomegaly.\nIMPRESSION: Cardiomegaly.",
    "embolism left out": "FINDINGS: Filling defects in both lower lobe arteries, pulmonary embolism. Small effusion.\n"
    "IMPRESSION: Small right effusion. Discussed with Dr. Hall.",
    "mass left out": "FINDINGS: There is a 5 cm mass in the left upper lobe. Degenerative changes. CT is recommended.\n"
    "IMPRESSION: Degenerative changes.",
    "free air left out": "FINDINGS: Free air is seen beneath the right hemidiaphragm. Bibasilar atelectasis.\n"
    "IMPRESSION: Bibasilar atelectasis. Surgery was informed.",
    "misplaced tube left out": "FINDINGS: The ET tube is malpositioned in the right main bronchus.\n"
    "IMPRESSION: Low lung volumes.",
    "fracture left out": "FINDINGS: Acute displaced fracture of the left clavicle. Lungs clear.\nIMPRESSION: Clear lungs.",
    "dissection left out": "FINDINGS: Type A aortic dissection. Emphysema. Dr. Roe was called at 10:10.\nIMPRESSION: Emphysema.",
    "nodule without advice": "FINDINGS: 14 mm nodule in the right upper lobe. Heart normal.\nIMPRESSION: 14 mm right upper lobe nodule.",
    "mass without advice": "FINDINGS: 4 cm mass in the right lung.\nIMPRESSION: Right lung mass.",
    "tension pneumothorax without a call": "FINDINGS: Tension pneumothorax on the left.\nIMPRESSION: Left tension pneumothorax.",
    "embolism without a call": "FINDINGS: Acute pulmonary embolism.\nIMPRESSION: Acute pulmonary embolism.",
}
"""What is wrong -> the report."""

SOUND = {
    "normal": "FINDINGS: Heart size normal. Lungs clear. No effusion or pneumothorax.\nIMPRESSION: No acute disease.",
    "pneumonia": "FINDINGS: Right lower lobe consolidation. No effusion.\nIMPRESSION: Right lower lobe pneumonia.",
    "hedged": "FINDINGS: Left base opacity, atelectasis or pneumonia.\nIMPRESSION: Left base opacity, favor atelectasis.",
    "both sides": "FINDINGS: Bilateral effusions, right greater than left.\nIMPRESSION: Right greater than left effusions.",
    "one of two named": "FINDINGS: Right consolidation. Left basilar atelectasis.\nIMPRESSION: Right pneumonia, left atelectasis.",
    "told": "FINDINGS: Moderate left pneumothorax.\nIMPRESSION: Moderate left pneumothorax. Dr. Kay was notified at 14:20.",
    "told by telephone": "FINDINGS: Saddle embolus.\nIMPRESSION: Acute pulmonary embolism, d/w Dr. Fry by phone.",
    "advised": "FINDINGS: 12 mm nodule in the left lung.\nIMPRESSION: Left lung nodule, CT in 3 months.",
    "referred": "FINDINGS: 4 cm mass in the right upper lobe.\nIMPRESSION: Right upper lobe mass. Urgent CT suggested.",
    "small nodule": "FINDINGS: 3 mm nodule in the lingula. Heart normal.\nIMPRESSION: No acute disease.",
    "calcified nodule": "FINDINGS: Calcified granuloma in the right lung.\nIMPRESSION: No acute cardiopulmonary abnormality.",
    "old fractures": "FINDINGS: Old healed left rib fractures. Lungs clear.\nIMPRESSION: No acute abnormality.",
    "stable": "FINDINGS: Unchanged left upper lobe mass. New right effusion.\nIMPRESSION: New right effusion, mass unchanged.",
    "as above": "FINDINGS: Moderate right pneumothorax, phoned to Dr. Orr.\nIMPRESSION: As above.",
    "other name": "FINDINGS: Pulmonary edema and cardiomegaly.\nIMPRESSION: Findings of congestive heart failure.",
    "resolved": "FINDINGS: The left pneumothorax has resolved.\nIMPRESSION: No residual pneumothorax.",
    "other side": "FINDINGS: No left pneumothorax. Small right pneumothorax, chest tube in place.\nIMPRESSION: Small right pneumothorax.",
    "no large": "FINDINGS: No large effusion. Trace left effusion.\nIMPRESSION: Trace left effusion.",
    "no other": "FINDINGS: 5 mm nodule in the right lung. No other nodule.\nIMPRESSION: Right nodule, CT in 12 months.",
    "no impression": "Heart enlarged. Small left effusion. Right lung clear.",
    "otherwise clear": "FINDINGS: Scarring at the left apex. Lungs otherwise clear.\nIMPRESSION: Left apical scar.",
    "device": "FINDINGS: Right PICC tip in the SVC. Lungs clear.\nIMPRESSION: PICC in good position.",
    "templates": "LUNGS: Bibasilar atelectasis.\nPLEURA: No effusion.\nHEART: Normal.\nIMPRESSION: Bibasilar atelectasis.",
}
"""What makes it look suspicious -> the report."""
